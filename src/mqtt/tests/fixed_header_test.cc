// Fixed header: MQTT 3.1.1 section 2.2.
#include "mqtt/fixed_header.h"

#include "mqtt/tests/wire.h"

namespace mooring::mqtt::testing {
namespace {

TEST(FixedHeader, RemainingLengthAtTheBordersOfTable24) {
  const struct {
    std::size_t length;
    Bytes encoded;
  } cases[] = {
      {0, bytes({0x00})},
      {127, bytes({0x7F})},
      {128, bytes({0x80, 0x01})},
      {16'383, bytes({0xFF, 0x7F})},
      {16'384, bytes({0x80, 0x80, 0x01})},
      {2'097'151, bytes({0xFF, 0xFF, 0x7F})},
      {2'097'152, bytes({0x80, 0x80, 0x80, 0x01})},
      {kMaxRemainingLength, bytes({0xFF, 0xFF, 0xFF, 0x7F})},
  };
  for (const auto& c : cases) {
    Bytes written;
    append_fixed_header(written, PacketType::kPublish, 0x0B, c.length);
    EXPECT_EQ(written, cat({bytes({0x3B}), c.encoded})) << c.length;
    FixedHeader header;
    ASSERT_EQ(read_fixed_header(written, header), HeaderState::kComplete);
    EXPECT_EQ(header.type, PacketType::kPublish);
    EXPECT_EQ(header.flags, 0x0B);
    EXPECT_EQ(header.remaining_length, c.length);
    EXPECT_EQ(header.header_bytes, written.size());
    for (std::size_t size = 0; size < written.size(); ++size) {
      EXPECT_EQ(read_fixed_header(ByteView(written).first(size), header), HeaderState::kIncomplete);
    }
  }
}

TEST(FixedHeader, FiveLengthBytesAreMalformed) {
  FixedHeader header;
  EXPECT_EQ(read_fixed_header(bytes({0xC0, 0x80, 0x80, 0x80, 0x80}), header), HeaderState::kMalformed);
  EXPECT_EQ(after_connect(bytes({0xC0, 0x80, 0x80, 0x80, 0x80, 0x00})),
            "error malformed packet: remaining length has more than four bytes");
}

TEST(FixedHeader, LengthWithMoreBytesThanNeededIsRead) {
  EXPECT_EQ(after_connect(bytes({0xC0, 0x80, 0x00})), "pingreq");
}

TEST(FixedHeader, ButNotInMqtt5_1_5_5_1) {
  const std::string error = "error malformed packet: remaining length has more bytes than it needs [MQTT-1.5.5-1] 0x81";
  EXPECT_EQ(after_connect(bytes({0xC0, 0x80, 0x00}), Version::k5), error);
  EXPECT_EQ(first_line(serve(cat({bytes({0x10, 0x8E, 0x00}), connect_head("MQTT", 5, 2), props(), str("c")}))), error);
}

// MQTT-2.2.2-1, -2: reserved flag bits have the value of table 2.2, otherwise the connection is closed.
TEST(FixedHeader, Flags_2_2_2_2) {
  const std::string error = "error malformed packet: invalid fixed header flags [MQTT-2.2.2-2]";
  for (int flags = 1; flags < 16; ++flags) {
    EXPECT_EQ(first_line(serve(packet(0x10 | flags, {connect_head("MQTT", 4, 2), str("c")}))), error);
    EXPECT_EQ(after_connect(packet(0x40 | flags, {u16(1)})), error);
    EXPECT_EQ(after_connect(packet(0xC0 | flags, {})), error);
    EXPECT_EQ(after_connect(packet(0xE0 | flags, {})), error);
  }
  for (int flags = 0; flags < 16; ++flags) {
    const std::string line = after_connect(packet(0x80 | flags, {u16(1), str("a"), bytes({0})}));
    EXPECT_EQ(line, flags == 2 ? "subscribe id1 (1) a:0" : error) << flags;
  }
}

// Connection.md 6.4: a widely used SDK sends UNSUBSCRIBE with flags 0.
TEST(FixedHeader, UnsubscribeWithoutFlagsIsAccepted) {
  for (int flags = 0; flags < 16; ++flags) {
    const std::string line = after_connect(packet(0xA0 | flags, {u16(1), str("a")}));
    const bool accepted = flags == 0 || flags == 2;
    EXPECT_EQ(line,
              accepted ? "unsubscribe id1 (1) a" : "error malformed packet: invalid fixed header flags [MQTT-2.2.2-2]")
        << flags;
  }
}

TEST(FixedHeader, ToleranceOfUnsubscribeFlagsEnds) {
  const std::string error = "error malformed packet: invalid fixed header flags [MQTT-2.2.2-2]";
  const Bytes in = packet(0xA0, {u16(1), str("a")});
  Limits limits;
  limits.tolerates_unsubscribe_flags = false;
  EXPECT_EQ(after_connect(in, Version::k311, limits), error);
  EXPECT_EQ(after_connect(packet(0xA0, {u16(1), props(), str("a")}), Version::k5), error + " 0x81");
}

TEST(FixedHeader, PubrelFlags_3_6_1_1) {
  Limits limits;
  limits.max_qos = 2;
  for (int flags = 0; flags < 16; ++flags) {
    const Bytes in = packet(0x60 | flags, {u16(7)});
    const std::string error = "error malformed packet: invalid fixed header flags [MQTT-2.2.2-2]";
    EXPECT_EQ(after_connect(in, Version::k311, limits), flags == 2 ? "pubrel 7" : error);
    EXPECT_EQ(after_connect(in, Version::k5, limits), flags == 2 ? "pubrel 7" : error + " 0x81");
    EXPECT_EQ(after_connect(in, Version::k31, limits), (flags & 6) == 2 ? "pubrel 7" : error);
  }
}

// MQTT 3.1: flags are "not used" in most packets; SUBSCRIBE has QoS 1 and may be a repetition (DUP).
TEST(FixedHeader, UnusedFlagsOfMqtt31AreIgnored) {
  EXPECT_EQ(after_connect(packet(0xCF, {}), Version::k31), "pingreq");
  EXPECT_EQ(after_connect(packet(0xE1, {}), Version::k31), "disconnect");
  EXPECT_EQ(after_connect(packet(0x48, {u16(7)}), Version::k31), "puback 7");
  EXPECT_EQ(after_connect(packet(0x8A, {u16(1), str("a"), bytes({0})}), Version::k31), "subscribe id1 (1) a:0");
  EXPECT_EQ(after_connect(packet(0xAA, {u16(1), str("a")}), Version::k31), "unsubscribe id1 (1) a");
  EXPECT_EQ(after_connect(packet(0x84, {u16(1), str("a"), bytes({0})}), Version::k31),
            "error malformed packet: invalid fixed header flags [MQTT-2.2.2-2]");
}

TEST(FixedHeader, PacketsOfFixedLength) {
  const std::string error = "error malformed packet: remaining length does not fit the packet type";
  EXPECT_EQ(after_connect(packet(0xC0, {bytes({0})})), error);
  EXPECT_EQ(after_connect(packet(0xE0, {bytes({0})})), error);
  EXPECT_EQ(after_connect(packet(0x40, {bytes({1})})), error);
  EXPECT_EQ(after_connect(packet(0x40, {bytes({0, 1, 0})})), error);
  // Said as soon as the header is there: no byte of the body is needed.
  EXPECT_EQ(after_connect(bytes({0xC0, 0xFF, 0xFF, 0x01})), error);
}

// Table 2.1: direction of flow, and reserved types.
TEST(FixedHeader, TypesThatNoClientSends) {
  for (const int type : {2, 9, 11, 13}) {
    EXPECT_EQ(after_connect(packet(type << 4, {})), "error unexpected packet: packet type of the other direction");
  }
  for (const int type : {0, 15}) {
    EXPECT_EQ(after_connect(packet(type << 4, {})), "error unexpected packet: reserved packet type");
  }
  for (const int first : {0x50, 0x62, 0x70}) {  // the default limits offer QoS 1
    EXPECT_EQ(after_connect(packet(first, {u16(1)})),
              "error unexpected packet: QoS 2 acknowledgement, though QoS 2 is not offered");
  }
}

}  // namespace
}  // namespace mooring::mqtt::testing
