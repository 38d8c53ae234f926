// SUBSCRIBE and UNSUBSCRIBE of MQTT 5: sections 3.8, 3.10 and 4.8.2.
#include "mqtt/tests/wire.h"

namespace mooring::mqtt::testing {
namespace {

std::string subscribe(std::initializer_list<Bytes> rest) {
  return after_connect(packet(0x82, {u16(10), cat(rest)}), Version::k5);
}
std::string unsubscribe(std::initializer_list<Bytes> rest) {
  return after_connect(packet(0xA2, {u16(10), cat(rest)}), Version::k5);
}

TEST(Subscribe5, OptionsAndIdentifier) {
  EXPECT_EQ(subscribe({props(), str("a"), bytes({0}), str("b"), bytes({0x2E}), str("c"), bytes({0x11})}),
            "subscribe id10 (3) a:0 b:2 no-local as-published handling2 c:1 handling1");
  EXPECT_EQ(subscribe({props({bytes({0x0B, 0xFF, 0xFF, 0xFF, 0x7F}), bytes({0x26}), str("n"), str("v")}), str("a"),
                       bytes({1})}),
            "subscribe id10 (1) a:1 subscription268435455");
}

TEST(Subscribe5, UpperBitsMeanNothingInMqtt31) {
  EXPECT_EQ(after_connect(packet(0x82, {u16(10), str("a"), bytes({0x7D})}), Version::k31), "subscribe id10 (1) a:1");
}

TEST(Subscribe5, ReservedOptions_3_8_3_5) {
  for (const int options : {0x40, 0x80, 0xC0, 0xC1}) {
    EXPECT_EQ(subscribe({props(), str("a"), bytes({options})}),
              "error malformed packet: reserved subscription option is set [MQTT-3.8.3-5] 0x81");
  }
}

TEST(Subscribe5, ValuesOfOptions) {
  EXPECT_EQ(subscribe({props(), str("a"), bytes({3})}),
            "error malformed packet: invalid requested QoS byte [MQTT-3-8.3-4] 0x82");
  EXPECT_EQ(subscribe({props(), str("a"), bytes({0x30})}), "error protocol error: retain handling 3 0x82");
}

TEST(Subscribe5, NoLocalOnASharedSubscription_3_8_3_4) {
  EXPECT_EQ(subscribe({props(), str("$share/g/a"), bytes({5})}),
            "error protocol error: No Local on a shared subscription [MQTT-3.8.3-4] 0x82");
  EXPECT_EQ(subscribe({props(), str("$share/g/a"), bytes({9})}), "subscribe id10 (1) $share/g/a:1 as-published");
}

TEST(Subscribe5, SharedFilters_4_8_2_1_and_2) {
  for (const std::string_view filter : {"$share/", "$share/g", "$share//a", "$share/g/", "$share/+/a", "$share/g+/a"}) {
    // Some are no filters at all.
    const std::string error = is_valid_filter(filter)
                                  ? "error invalid topic filter: invalid shared subscription [MQTT-4.8.2-1, -2] 0x8f"
                                  : "error invalid topic filter: invalid topic filter [MQTT-4.7.1-2, -3, MQTT-4.7.3-1]"
                                    " 0x8f";
    EXPECT_EQ(subscribe({props(), str(filter), bytes({0})}), error) << filter;
    EXPECT_EQ(unsubscribe({props(), str(filter)}), error) << filter;
  }
  EXPECT_EQ(after_connect(packet(0x82, {u16(10), str("$share/g"), bytes({0})})), "subscribe id10 (1) $share/g:0");
}

TEST(Subscribe5, Errors) {
  EXPECT_EQ(subscribe({props()}), "error malformed packet: no topic filter [MQTT-3.8.3-3, MQTT-3.10.3-2] 0x82");
  EXPECT_EQ(unsubscribe({props()}), "error malformed packet: no topic filter [MQTT-3.8.3-3, MQTT-3.10.3-2] 0x82");
  EXPECT_EQ(subscribe({props(), str("a#"), bytes({0})}),
            "error invalid topic filter: invalid topic filter [MQTT-4.7.1-2, -3, MQTT-4.7.3-1] 0x8f");
  EXPECT_EQ(subscribe({props({bytes({0x0B, 0})}), str("a"), bytes({0})}),
            "error protocol error: property value is not allowed 0x82");
  EXPECT_EQ(subscribe({props({bytes({0x0B, 1}), bytes({0x0B, 2})}), str("a"), bytes({0})}),
            "error protocol error: property given twice 0x82");
  EXPECT_EQ(subscribe({bytes({9}), str("a")}),
            "error malformed packet: property length is invalid or beyond the packet [MQTT-1.5.5-1] 0x81");
  EXPECT_EQ(unsubscribe({props({bytes({0x0B, 1})}), str("a")}),
            "error malformed packet: unknown property, or not one of this packet 0x81");
  EXPECT_EQ(after_connect(packet(0x82, {u16(0), props(), str("a"), bytes({0})}), Version::k5),
            "error malformed packet: packet identifier 0 [MQTT-2.3.1-1] 0x82");
}

TEST(Unsubscribe5, Filters) {
  EXPECT_EQ(unsubscribe({props({bytes({0x26}), str("n"), str("v")}), str("a/#"), str("$share/g/+")}),
            "unsubscribe id10 (2) a/# $share/g/+");
}

}  // namespace
}  // namespace mooring::mqtt::testing
