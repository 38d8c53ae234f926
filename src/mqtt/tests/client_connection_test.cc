// What our own clients make of a server's bytes.
#include "mqtt/client_connection.h"

#include "mqtt/tests/wire.h"

namespace mooring::mqtt::testing {
namespace {

Bytes connack() {
  return bytes({0x20, 2, 0, 0});
}
std::string after_connack(const Bytes& in, Version version = Version::k311) {
  const std::vector<std::string> lines = consume(cat({connack(), in}), version);
  EXPECT_LE(lines.size(), 2U);
  return lines.size() < 2 ? std::string() : lines[1];
}

TEST(ClientConnection, Connack) {
  for (int code = 0; code <= 5; ++code) {
    EXPECT_EQ(first_line(consume(bytes({0x20, 2, 0, code}))), fmt::format("connack {} present0", code));
  }
  EXPECT_EQ(first_line(consume(bytes({0x20, 2, 1, 0}))), "connack 0 present1");
  EXPECT_EQ(first_line(consume(bytes({0x20, 2, 0, 6}))), "error malformed packet: unknown return code");
  EXPECT_EQ(first_line(consume(bytes({0x20, 3, 0, 0x84, 0}))), "error malformed packet: bytes after the last field");
}

TEST(ClientConnection, ConnackFlags_3_2_2_4) {
  for (const Bytes& in : {bytes({0x20, 2, 2, 0}), bytes({0x20, 2, 1, 5})}) {
    EXPECT_EQ(first_line(consume(in)), "error malformed packet: invalid CONNACK flags [MQTT-3.2.2-4]");
  }
  EXPECT_EQ(first_line(consume(bytes({0x20, 2, 1, 0}), Version::k31)), "connack 0 present0");  // reserved in 3.1
}

TEST(ClientConnection, FirstPacketMustBeConnack_3_2_0_1) {
  EXPECT_EQ(first_line(consume(packet(0xD0, {}))),
            "error unexpected packet: first packet is not CONNACK [MQTT-3.2.0-1]");
  EXPECT_EQ(after_connack(connack()), "error unexpected packet: second CONNACK");
}

TEST(ClientConnection, EveryPacket) {
  EXPECT_EQ(after_connack(packet(0x30, {str("a"), raw("x")})), "publish a qos0 retain0 dup0 id0 [x]");
  EXPECT_EQ(after_connack(packet(0x3B, {str("a"), u16(7), raw("x")})), "publish a qos1 retain1 dup1 id7 [x]");
  EXPECT_EQ(after_connack(packet(0x3C, {str("a"), u16(7), raw("x")})), "publish a qos2 retain0 dup1 id7 [x]");
  EXPECT_EQ(after_connack(packet(0x40, {u16(7)})), "puback 7");
  EXPECT_EQ(after_connack(packet(0x50, {u16(7)})), "pubrec 7");
  EXPECT_EQ(after_connack(packet(0x62, {u16(7)})), "pubrel 7");
  EXPECT_EQ(after_connack(packet(0x70, {u16(7)})), "pubcomp 7");
  EXPECT_EQ(after_connack(packet(0x90, {u16(7), bytes({0, 1, 2, 0x80})})), "suback id7 00010280");
  EXPECT_EQ(after_connack(packet(0xB0, {u16(7)})), "unsuback 7");
  EXPECT_EQ(after_connack(packet(0xD0, {})), "pingresp");
}

TEST(ClientConnection, Violations) {
  EXPECT_EQ(after_connack(packet(0x90, {u16(7), bytes({3})})), "error malformed packet: unknown return code");
  EXPECT_EQ(after_connack(packet(0x90, {u16(7)})), "error malformed packet: packet ends inside a field");
  EXPECT_EQ(after_connack(packet(0xD0, {bytes({0})})),
            "error malformed packet: remaining length does not fit the packet type");
  EXPECT_EQ(after_connack(packet(0xD1, {})), "error malformed packet: invalid fixed header flags [MQTT-2.2.2-2]");
  EXPECT_EQ(after_connack(packet(0x36, {str("a"), u16(7)})), "error malformed packet: QoS 3 [MQTT-3.3.1-4]");
  EXPECT_EQ(after_connack(packet(0xC0, {})), "error unexpected packet: packet type of the other direction");
  EXPECT_EQ(after_connack(packet(0xF0, {})), "error unexpected packet: reserved packet type");
  EXPECT_EQ(after_connack(packet(0x60, {u16(1)})), "error malformed packet: invalid fixed header flags [MQTT-2.2.2-2]");
  EXPECT_EQ(after_connack(packet(0xE0, {})), "error unexpected packet: packet type of the other direction");
  EXPECT_EQ(after_connack(packet(0xB0, {u16(7), bytes({0})})), "error malformed packet: bytes after the last field");
}

TEST(ClientConnection, SizeLimit) {
  const Bytes in = cat({connack(), packet(0x30, {str("a"), Bytes(95, 'x')})});  // PUBLISH of 100 bytes
  EXPECT_EQ(consume(in, Version::k311, 100).back(), "publish a qos0 retain0 dup0 id0 [(95 bytes)]");
  EXPECT_EQ(consume(in, Version::k311, 99).back(), "error packet too large: packet exceeds the limit for its type");
}

TEST(ClientConnection, CloseSwallowsTheRest) {
  ClientConnection connection(Version::k311);
  ClientRecorder events;
  connection.receive(connack(), events);
  connection.close();
  connection.receive(packet(0xD0, {}), events);
  EXPECT_TRUE(connection.closed());
  EXPECT_EQ(events.lines.size(), 1U);
}

}  // namespace
}  // namespace mooring::mqtt::testing
