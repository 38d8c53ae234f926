// DISCONNECT and AUTH: MQTT 5 sections 3.14 and 3.15, and what is no packet in MQTT 3.x.
#include "mqtt/tests/wire.h"

namespace mooring::mqtt::testing {
namespace {

std::string line(const Bytes& in) {
  return after_connect(in, Version::k5);
}
Bytes connect_with_expiry(std::uint32_t seconds) {
  return packet(0x10, {connect_head("MQTT", 5, 2), props({bytes({0x11}), u32(seconds)}), str("c")});
}

TEST(Disconnect5, Fields) {
  EXPECT_EQ(line(packet(0xE0, {})), "disconnect");
  EXPECT_EQ(line(packet(0xE0, {bytes({0})})), "disconnect");
  EXPECT_EQ(line(packet(0xE0, {bytes({4})})), "disconnect disconnect with will message");
  EXPECT_EQ(line(packet(0xE0, {bytes({0x98}), props({bytes({0x1F}), str("why"), bytes({0x26}), str("n"), str("v")})})),
            "disconnect administrative action [why]");
}

TEST(Disconnect5, Errors) {
  // Codes that only servers send, and no codes at all.
  for (const int code : {0x01, 0x87, 0x8B, 0x8E, 0x9B, 0xA2, 0xFF}) {
    EXPECT_EQ(line(packet(0xE0, {bytes({code})})), "error protocol error: reason code is not one of this packet 0x82");
  }
  EXPECT_EQ(line(packet(0xE0, {bytes({0, 1})})),
            "error malformed packet: property length is invalid or beyond the packet [MQTT-1.5.5-1] 0x81");
  EXPECT_EQ(line(packet(0xE0, {bytes({0, 0, 0})})), "error malformed packet: bytes after the last field 0x81");
  EXPECT_EQ(line(packet(0xE1, {})), "error malformed packet: invalid fixed header flags [MQTT-2.2.2-2] 0x81");
}

TEST(Disconnect5, SessionExpiryCannotAppearAtTheEnd) {
  const auto end_with = [](std::uint32_t seconds) {
    return packet(0xE0, {bytes({0}), props({bytes({0x11}), u32(seconds)})});
  };
  EXPECT_EQ(line(end_with(5)), "error protocol error: session expiry in DISCONNECT after none in CONNECT 0x82");
  EXPECT_EQ(line(end_with(0)), "disconnect expiry0");
  EXPECT_EQ(serve(cat({connect_with_expiry(9), end_with(5)})).back(), "disconnect expiry5");
  EXPECT_EQ(serve(cat({connect_with_expiry(9), end_with(0)})).back(), "disconnect expiry0");
  EXPECT_EQ(serve(cat({connect_with_expiry(0), end_with(5)})).back(),
            "error protocol error: session expiry in DISCONNECT after none in CONNECT 0x82");
}

TEST(Disconnect5, NothingFollows_3_14_4_2) {
  const std::vector<std::string> lines =
      serve(cat({connect(Version::k5), packet(0xE0, {bytes({0x04})}), packet(0xC0, {})}));
  EXPECT_EQ(lines.size(), 2U);
}

TEST(Disconnect3, HasNothingBehindTheHeader) {
  EXPECT_EQ(after_connect(packet(0xE0, {bytes({0})})),
            "error malformed packet: remaining length does not fit the packet type");
}

TEST(Auth, Fields) {
  const Bytes method = cat({bytes({0x15}), str("m")});
  EXPECT_EQ(line(packet(0xF0, {bytes({0x18}), props({method, bytes({0x16}), str("d")})})),
            "auth continue authentication m 64");
  EXPECT_EQ(line(packet(0xF0, {bytes({0x19}), props({method, bytes({0x1F}), str("why")})})), "auth re-authenticate m ");
}

TEST(Auth, Errors) {
  const std::string reason = "error protocol error: reason code is not one of this packet 0x82";
  EXPECT_EQ(line(packet(0xF0, {})), reason);  // success is the server's to say
  EXPECT_EQ(line(packet(0xF0, {bytes({0})})), reason);
  EXPECT_EQ(line(packet(0xF0, {bytes({0x87})})), reason);
  EXPECT_EQ(line(packet(0xF0, {bytes({0x18})})), "error protocol error: AUTH without authentication method 0x82");
  EXPECT_EQ(line(packet(0xF0, {bytes({0x18}), props()})),
            "error protocol error: AUTH without authentication method 0x82");
  EXPECT_EQ(line(packet(0xF1, {bytes({0x18}), props()})),
            "error malformed packet: invalid fixed header flags [MQTT-2.2.2-2] 0x81");
  EXPECT_EQ(line(packet(0xF0, {bytes({0x18}), props({bytes({0x17, 1})})})),
            "error malformed packet: unknown property, or not one of this packet 0x81");
}

TEST(Types5, ThatNoClientSends) {
  for (const int type : {2, 9, 11, 13}) {
    EXPECT_EQ(line(packet(type << 4, {})), "error unexpected packet: packet type of the other direction 0x82");
  }
  EXPECT_EQ(line(packet(0x00, {})), "error unexpected packet: reserved packet type 0x81");
}

}  // namespace
}  // namespace mooring::mqtt::testing
