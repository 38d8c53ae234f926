// SUBSCRIBE and UNSUBSCRIBE: MQTT 3.1.1 sections 3.8 and 3.10.
#include "mqtt/tests/wire.h"

namespace mooring::mqtt::testing {
namespace {

Bytes subscribe(std::initializer_list<Bytes> payload) {
  return packet(0x82, {u16(10), cat(payload)});
}
Bytes unsubscribe(std::initializer_list<Bytes> payload) {
  return packet(0xA2, {u16(10), cat(payload)});
}

const std::string_view kInvalidFilters[] = {"", "a#", "#/a", "a/#/b", "a+", "+a", "a/b+/c", "a/+b", "##", "++", "a/##"};

TEST(Subscribe, Entries) {
  EXPECT_EQ(after_connect(subscribe({str("a/+/#"), bytes({1})})), "subscribe id10 (1) a/+/#:1");
  EXPECT_EQ(after_connect(subscribe({str("a"), bytes({0}), str("/"), bytes({2}), str("$SYS/#"), bytes({1})})),
            "subscribe id10 (3) a:0 /:2 $SYS/#:1");
}

TEST(Subscribe, NeedsAFilter_3_8_3_3) {
  const std::string error = "error malformed packet: no topic filter [MQTT-3.8.3-3, MQTT-3.10.3-2]";
  EXPECT_EQ(after_connect(subscribe({})), error);
  EXPECT_EQ(after_connect(unsubscribe({})), error);
}

TEST(Subscribe, PacketIdentifierIsNotZero_2_3_1_1) {
  const std::string error = "error malformed packet: packet identifier 0 [MQTT-2.3.1-1]";
  EXPECT_EQ(after_connect(packet(0x82, {u16(0), str("a"), bytes({0})})), error);
  EXPECT_EQ(after_connect(packet(0xA2, {u16(0), str("a")})), error);
}

TEST(Subscribe, RequestedQosByte_3_8_3_4) {
  for (const int qos : {3, 4, 0x40, 0x81}) {
    EXPECT_EQ(after_connect(subscribe({str("a"), bytes({qos})})),
              "error malformed packet: invalid requested QoS byte [MQTT-3-8.3-4]");
  }
  EXPECT_EQ(after_connect(subscribe({str("a"), bytes({0x81})}), Version::k31), "subscribe id10 (1) a:1");
  EXPECT_EQ(after_connect(subscribe({str("a"), bytes({0x83})}), Version::k31),
            "error malformed packet: invalid requested QoS byte [MQTT-3-8.3-4]");
}

TEST(Subscribe, FiltersAreValid_4_7_1_2_and_3) {
  for (const std::string_view filter : kInvalidFilters) {
    const std::string error = "error invalid topic filter: invalid topic filter [MQTT-4.7.1-2, -3, MQTT-4.7.3-1]";
    EXPECT_EQ(after_connect(subscribe({str("ok"), bytes({0}), str(filter), bytes({0})})), error) << filter;
    EXPECT_EQ(after_connect(unsubscribe({str("ok"), str(filter)})), error) << filter;
  }
}

TEST(Subscribe, FiltersAreUtf8WithoutNul_3_8_3_1) {
  using namespace std::string_view_literals;
  const std::string error = "error malformed packet: string is not UTF-8 or contains U+0000 [MQTT-1.5.3-1, -2]";
  for (const std::string_view filter : {"a\0b"sv, "\x80"sv}) {
    EXPECT_EQ(after_connect(subscribe({str(filter), bytes({0})})), error);
    EXPECT_EQ(after_connect(unsubscribe({str(filter)})), error);
  }
}

TEST(Subscribe, EveryTruncationIsMalformed) {
  const std::string error = "error malformed packet: packet ends inside a field";
  EXPECT_EQ(after_connect(packet(0x82, {bytes({1})})), error);
  EXPECT_EQ(after_connect(packet(0xA2, {})), error);
  EXPECT_EQ(after_connect(subscribe({str("a")})), error);
  EXPECT_EQ(after_connect(subscribe({str("a"), bytes({0}), bytes({0})})), error);
  EXPECT_EQ(after_connect(unsubscribe({str("a"), bytes({0, 5, 'a'})})), error);
}

TEST(Subscribe, ManyFiltersCostNothing) {
  Bytes payload;
  for (int i = 0; i < 8000; ++i) {
    const Bytes entry = cat({str("a"), bytes({1})});
    payload.insert(payload.end(), entry.begin(), entry.end());
  }
  EXPECT_EQ(after_connect(subscribe({payload})).substr(0, 21), "subscribe id10 (8000)");
}

TEST(Subscribe, PacketLimit) {
  Limits limits;
  limits.max_packet_bytes = 100;
  const std::string error = "error packet too large: packet exceeds the limit for its type";
  EXPECT_EQ(after_connect(bytes({0x82, 99}), Version::k311, limits), error);
  EXPECT_EQ(after_connect(bytes({0xA2, 99}), Version::k311, limits), error);
  const std::string filter(98 - 2 - 2 - 1, 'f');
  EXPECT_EQ(after_connect(subscribe({str(filter), bytes({0})}), Version::k311, limits),
            "subscribe id10 (1) " + filter + ":0");
}

TEST(Unsubscribe, Filters) {
  EXPECT_EQ(after_connect(unsubscribe({str("a/#"), str("+")})), "unsubscribe id10 (2) a/# +");
}

}  // namespace
}  // namespace mooring::mqtt::testing
