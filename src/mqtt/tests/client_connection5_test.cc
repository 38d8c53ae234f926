// What our own clients make of an MQTT 5 server's bytes.
#include "mqtt/tests/wire.h"

namespace mooring::mqtt::testing {
namespace {

Bytes connack(std::initializer_list<Bytes> properties = {}) {
  return packet(0x20, {bytes({0, 0}), props(properties)});
}
std::vector<std::string> read(const Bytes& in, std::uint16_t topic_alias_maximum = 0) {
  return consume(in, Version::k5, ClientConnection::kDefaultMaxPacketBytes, topic_alias_maximum);
}
std::string after_connack(const Bytes& in) {
  const std::vector<std::string> lines = read(cat({connack(), in}));
  EXPECT_LE(lines.size(), 2U);
  return lines.size() < 2 ? std::string() : lines[1];
}

TEST(ClientConnection5, Connack) {
  EXPECT_EQ(first_line(read(packet(0x20, {bytes({1, 0}), props()}))), "connack 0 present1");
  EXPECT_EQ(first_line(read(packet(0x20, {bytes({0, 0x87}), props()}))), "connack 135 present0");
  EXPECT_EQ(first_line(read(packet(0x20, {bytes({1, 0x87}), props()}))),
            "error malformed packet: invalid CONNACK flags [MQTT-3.2.2-4] 0x81");
  EXPECT_EQ(first_line(read(packet(0x20, {bytes({0, 0x8E}), props()}))),
            "error protocol error: reason code is not one of this packet 0x82");
  EXPECT_EQ(first_line(read(packet(0x20, {bytes({0, 0}), props(), bytes({0})}))),
            "error malformed packet: bytes after the last field 0x81");
  EXPECT_EQ(first_line(read(packet(0x20, {bytes({0, 0}), props({bytes({0x24, 2})})}))),
            "error protocol error: property value is not allowed 0x82");
  EXPECT_EQ(first_line(read(packet(0x20, {bytes({0, 0}), props({bytes({0x16}), str("d")})}))),
            "error protocol error: authentication data without authentication method 0x82");
}

TEST(ClientConnection5, RefusalInTheFormOfMqtt3) {
  struct Watch final : ClientConnectionEvents {
    void on_connack(const Connack& c) override {
      EXPECT_FALSE(c.accepted());
      EXPECT_EQ(c.reason, ReasonCode::kUnsupportedProtocolVersion);
      ++count;
    }
    void on_publish(const Publish&) override {}
    void on_puback(const Ack&) override {}
    void on_pubrec(const Ack&) override {}
    void on_pubrel(const Ack&) override {}
    void on_pubcomp(const Ack&) override {}
    void on_suback(const Suback&) override {}
    void on_unsuback(const Unsuback&) override {}
    void on_pingresp() override {}
    void on_disconnect(const Disconnect&) override {}
    void on_auth(const Auth&) override {}
    void on_protocol_error(const ProtocolError&) override {}
    int count = 0;
  } watch;
  ClientConnection connection(Version::k5);
  connection.receive(bytes({0x20, 2, 0, 1}), watch);
  EXPECT_EQ(watch.count, 1);
}

TEST(ClientConnection5, EveryPacket) {
  EXPECT_EQ(after_connack(packet(0x34, {str("a"), u16(7), props({bytes({0x0B, 5}), bytes({0x0B, 6})}), raw("x")})),
            "publish a qos2 retain0 dup0 id7 [x] 0b=5 0b=6");
  EXPECT_EQ(after_connack(packet(0x40, {u16(7), bytes({0x10})})), "puback 7 no matching subscribers");
  EXPECT_EQ(after_connack(packet(0x50, {u16(7), bytes({0x97, 0})})), "pubrec 7 quota exceeded");
  EXPECT_EQ(after_connack(packet(0x62, {u16(7)})), "pubrel 7");
  EXPECT_EQ(after_connack(packet(0x70, {u16(7), bytes({0x92})})), "pubcomp 7 packet identifier not found");
  EXPECT_EQ(after_connack(packet(0x90, {u16(7), props({bytes({0x1F}), str("why")}), bytes({0, 1, 2, 0x87})})),
            "suback id7 00010287");
  EXPECT_EQ(after_connack(packet(0xB0, {u16(7), props(), bytes({0, 0x11})})), "unsuback 7 0011");
  EXPECT_EQ(after_connack(packet(0xD0, {})), "pingresp");
  EXPECT_EQ(after_connack(packet(0xE0, {bytes({0x9D}), props({bytes({0x1C}), str("there")})})),
            "disconnect server moved to there");
  EXPECT_EQ(after_connack(packet(0xF0, {bytes({0x18}), props({bytes({0x15}), str("m")})})),
            "auth continue authentication m ");
  EXPECT_EQ(after_connack(packet(0xF0, {})), "auth success (none) ");
}

TEST(ClientConnection5, AuthMayComeBeforeConnack_3_2_0_1) {
  const Bytes auth = packet(0xF0, {bytes({0x18}), props({bytes({0x15}), str("m")})});
  EXPECT_EQ(read(cat({auth, connack()})).size(), 2U);
  EXPECT_EQ(first_line(read(packet(0xE0, {bytes({0x8B})}))),
            "error unexpected packet: first packet is not CONNACK [MQTT-3.2.0-1] 0x82");
}

TEST(ClientConnection5, DisconnectEndsIt) {
  EXPECT_EQ(read(cat({connack(), packet(0xE0, {bytes({0x8B})}), packet(0xD0, {})})),
            (std::vector<std::string>{"connack 0 present0", "disconnect server shutting down"}));
}

TEST(ClientConnection5, Violations) {
  EXPECT_EQ(after_connack(packet(0x90, {u16(7), props(), bytes({3})})),
            "error protocol error: reason code is not one of this packet 0x82");
  EXPECT_EQ(after_connack(packet(0xB0, {u16(7), props()})), "error malformed packet: packet ends inside a field 0x81");
  EXPECT_EQ(after_connack(packet(0xB0, {u16(7)})),
            "error malformed packet: property length is invalid or beyond the packet [MQTT-1.5.5-1] 0x81");
  EXPECT_EQ(after_connack(packet(0xE0, {bytes({0x04})})),
            "error protocol error: reason code is not one of this packet 0x82");
  EXPECT_EQ(after_connack(packet(0xE0, {bytes({0}), props({bytes({0x11, 0, 0, 0, 1})})})),
            "error protocol error: property that this side must not send [MQTT-3.3.4-6, MQTT-3.14.2-2] 0x82");
  EXPECT_EQ(after_connack(packet(0xF0, {bytes({0x19}), props({bytes({0x15}), str("m")})})),
            "error protocol error: reason code is not one of this packet 0x82");
  EXPECT_EQ(after_connack(bytes({0xD0, 0x80, 0x00})),
            "error malformed packet: remaining length has more bytes than it needs [MQTT-1.5.5-1] 0x81");
  EXPECT_EQ(after_connack(packet(0x60, {u16(1)})),
            "error malformed packet: invalid fixed header flags [MQTT-2.2.2-2] 0x81");
}

TEST(ClientConnection5, TopicAliases_3_1_2_26) {
  const Bytes named = packet(0x30, {str("t"), props({bytes({0x23, 0, 2})}), raw("a")});
  const Bytes aliased = packet(0x30, {str(""), props({bytes({0x23, 0, 2})}), raw("b")});
  const std::vector<std::string> lines = read(cat({connack(), named, aliased}), 2);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[2], "publish t qos0 retain0 dup0 id0 [b] 23=2");
  EXPECT_EQ(read(cat({connack(), named}), 1).back(),
            "error invalid topic alias: topic alias above the maximum [MQTT-3.3.2-9] 0x94");
  EXPECT_EQ(read(cat({connack(), aliased}), 2).back(),
            "error invalid topic alias: topic alias that stands for nothing yet [MQTT-3.3.2-12] 0x82");
}

}  // namespace
}  // namespace mooring::mqtt::testing
