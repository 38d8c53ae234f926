// PUBLISH and PUBACK: MQTT 3.1.1 sections 3.3 and 3.4; limits of connection.md 7.
#include "mqtt/tests/wire.h"

namespace mooring::mqtt::testing {
namespace {

TEST(Publish, Fields) {
  for (const Version version : kBoth) {
    EXPECT_EQ(after_connect(packet(0x30, {str("a/b"), raw("hello")}), version),
              "publish a/b qos0 retain0 dup0 id0 [hello]");
    EXPECT_EQ(after_connect(packet(0x31, {str("a"), raw("")}), version), "publish a qos0 retain1 dup0 id0 []");
    EXPECT_EQ(after_connect(packet(0x32, {str("a"), u16(0x1234), raw("x")}), version),
              "publish a qos1 retain0 dup0 id4660 [x]");
    EXPECT_EQ(after_connect(packet(0x3B, {str("a"), u16(65'535)}), version), "publish a qos1 retain1 dup1 id65535 []");
  }
}

TEST(Publish, Qos3_3_3_1_4) {
  for (const int first : {0x36, 0x37, 0x3E}) {
    EXPECT_EQ(after_connect(packet(first, {str("a"), u16(1)})), "error malformed packet: QoS 3 [MQTT-3.3.1-4]");
  }
}

TEST(Publish, QosAboveTheLimit) {
  const Bytes qos2 = packet(0x34, {str("a"), u16(1)});
  EXPECT_EQ(after_connect(qos2), "error QoS not supported: PUBLISH with a QoS that is not offered");
  Limits limits;
  limits.max_qos = 2;
  EXPECT_EQ(after_connect(qos2, Version::k311, limits), "publish a qos2 retain0 dup0 id1 []");
  limits.max_qos = 0;
  EXPECT_EQ(after_connect(packet(0x32, {str("a"), u16(1)}), Version::k311, limits),
            "error QoS not supported: PUBLISH with a QoS that is not offered");
}

TEST(Publish, DupWithQos0_3_3_1_2) {
  const Bytes in = packet(0x38, {str("a")});
  EXPECT_EQ(after_connect(in), "error malformed packet: DUP with QoS 0 [MQTT-3.3.1-2]");
  EXPECT_EQ(after_connect(in, Version::k31), "publish a qos0 retain0 dup0 id0 []");
}

TEST(Publish, TopicIsNotEmptyAndHasNoWildcard_4_7_3_1_and_3_3_2_2) {
  for (const std::string_view topic : {"", "+", "#", "a/#", "a/+/b", "a+"}) {
    EXPECT_EQ(after_connect(packet(0x30, {str(topic), raw("x")})),
              "error invalid topic: topic is empty or has a wildcard [MQTT-4.7.3-1, MQTT-3.3.2-2]");
  }
}

TEST(Publish, TopicIsUtf8WithoutNul_3_3_2_1) {
  using namespace std::string_view_literals;
  for (const std::string_view topic : {"a\0"sv, "\xC3"sv, "caf\xE9"sv}) {
    EXPECT_EQ(after_connect(packet(0x30, {str(topic), raw("x")})),
              "error malformed packet: string is not UTF-8 or contains U+0000 [MQTT-1.5.3-1, -2]");
  }
  EXPECT_EQ(after_connect(packet(0x30, {str("caf\xC3\xA9")})), "publish caf\xC3\xA9 qos0 retain0 dup0 id0 []");
}

TEST(Publish, PacketIdentifierIsNotZero_2_3_1_1) {
  EXPECT_EQ(after_connect(packet(0x32, {str("a"), u16(0)})),
            "error malformed packet: packet identifier 0 [MQTT-2.3.1-1]");
  EXPECT_EQ(after_connect(packet(0x40, {u16(0)})), "error malformed packet: packet identifier 0 [MQTT-2.3.1-1]");
}

TEST(Publish, Truncated) {
  for (const Bytes& body : {Bytes(), bytes({0}), bytes({0, 2, 'a'})}) {
    EXPECT_EQ(after_connect(packet(0x30, {body})), "error malformed packet: packet ends inside a field");
  }
  EXPECT_EQ(after_connect(packet(0x32, {str("a"), bytes({1})})), "error malformed packet: packet ends inside a field");
}

TEST(Publish, Puback) {
  EXPECT_EQ(after_connect(packet(0x40, {u16(513)})), "puback 513");
}

TEST(Publish, AcknowledgementsOfQos2) {
  Limits limits;
  limits.max_qos = 2;
  for (const Version version : kAll) {
    EXPECT_EQ(after_connect(packet(0x50, {u16(513)}), version, limits), "pubrec 513");
    EXPECT_EQ(after_connect(packet(0x62, {u16(513)}), version, limits), "pubrel 513");
    EXPECT_EQ(after_connect(packet(0x70, {u16(513)}), version, limits), "pubcomp 513");
  }
  for (const int first : {0x50, 0x62, 0x70}) {
    EXPECT_EQ(after_connect(packet(first, {u16(0)}), Version::k311, limits),
              "error malformed packet: packet identifier 0 [MQTT-2.3.1-1]");
    EXPECT_EQ(after_connect(packet(first, {u16(1), bytes({0})}), Version::k311, limits),
              "error malformed packet: remaining length does not fit the packet type");
  }
}

// ---- Size of the payload --------------------------------------------------------------------------------------------

class PublishSize : public ::testing::Test {
 protected:
  PublishSize() {
    limits.max_payload_bytes = 100;
    limits.max_discarded_payload_bytes = 400;
  }
  std::string publish(std::size_t payload_bytes, std::string_view topic = "t", int first = 0x32) {
    const Bytes id = (first & 6) != 0 ? u16(9) : Bytes();
    return after_connect(packet(first, {str(topic), id, Bytes(payload_bytes, 'x')}), Version::k311, limits);
  }
  Limits limits;
};

TEST_F(PublishSize, UpToTheLimitIsDelivered) {
  EXPECT_EQ(publish(100), "publish t qos1 retain0 dup0 id9 [(100 bytes)]");
  // The limit is for the payload: a long topic does not count.
  const std::string topic(300, 'a');
  EXPECT_EQ(publish(100, topic, 0x30), "publish " + topic + " qos0 retain0 dup0 id0 [(100 bytes)]");
}

TEST_F(PublishSize, AboveItIsSkippedAndReported) {
  EXPECT_EQ(publish(101), "oversized t qos1 id9 101 bytes");
  EXPECT_EQ(publish(400), "oversized t qos1 id9 400 bytes");
  EXPECT_EQ(publish(400, "a/b/c", 0x31), "oversized a/b/c qos0 id0 400 bytes");
}

TEST_F(PublishSize, FarAboveItIsAnError) {
  EXPECT_EQ(publish(401), "error packet too large: payload exceeds what is read and discarded");
  // No byte of topic or payload is needed to see this one.
  EXPECT_EQ(after_connect(bytes({0x30, 0xFF, 0xFF, 0xFF, 0x7F}), Version::k311, limits),
            "error packet too large: payload exceeds what is read and discarded");
}

TEST_F(PublishSize, TheStreamGoesOnBehindASkippedPayload) {
  const Bytes in =
      cat({connect(), packet(0x32, {str("t"), u16(9), Bytes(300, 'x')}), packet(0x30, {str("u"), raw("y")}),
           packet(0x30, {str("v"), Bytes(200, 'x')}), packet(0xC0, {})});
  const std::vector<std::string> expected = {"connect 3.1.1 [c] clean1 keep60", "oversized t qos1 id9 300 bytes",
                                             "publish u qos0 retain0 dup0 id0 [y]", "oversized v qos0 id0 200 bytes",
                                             "pingreq"};
  EXPECT_EQ(serve(in, limits), expected);
}

TEST_F(PublishSize, RulesHoldForSkippedPacketsToo) {
  EXPECT_EQ(publish(300, "a/#"), "error invalid topic: topic is empty or has a wildcard [MQTT-4.7.3-1, MQTT-3.3.2-2]");
  EXPECT_EQ(after_connect(packet(0x32, {str("t"), u16(0), Bytes(300, 'x')}), Version::k311, limits),
            "error malformed packet: packet identifier 0 [MQTT-2.3.1-1]");
  EXPECT_EQ(after_connect(packet(0x30, {u16(60'000), Bytes(300, 'x')}), Version::k311, limits),
            "error malformed packet: packet ends inside a field");
}

TEST_F(PublishSize, SkippingHoldsTheHeadOnly) {
  ServerConnection connection(limits);
  ServerRecorder events(connection);
  ASSERT_EQ(connection.receive(mqtt::testing::connect(), events), mqtt::testing::connect().size());
  const Bytes in = packet(0x32, {str("t"), u16(9), Bytes(400, 'x')});
  std::size_t most_bytes = 0;
  cut(
      in, [] { return std::size_t{50}; },
      [&](const Bytes& piece) {
        EXPECT_EQ(connection.receive(piece, events), piece.size());
        most_bytes = std::max(most_bytes, connection.buffered_bytes());
      });
  EXPECT_LE(most_bytes, 64U);
  EXPECT_EQ(connection.buffered_bytes(), 0U);
  EXPECT_EQ(connection.packets_received(), 2U);
  EXPECT_EQ(events.lines.back(), "oversized t qos1 id9 400 bytes");
}

TEST_F(PublishSize, DiscardLimitBelowThePayloadLimitMeansNothingIsSkipped) {
  limits.max_discarded_payload_bytes = 0;
  EXPECT_EQ(publish(100), "publish t qos1 retain0 dup0 id9 [(100 bytes)]");
  EXPECT_EQ(publish(101), "error packet too large: payload exceeds what is read and discarded");
}

TEST_F(PublishSize, PayloadLimitZero) {
  limits.max_payload_bytes = 0;
  EXPECT_EQ(publish(0), "publish t qos1 retain0 dup0 id9 []");
  EXPECT_EQ(publish(1), "oversized t qos1 id9 1 bytes");
  EXPECT_EQ(after_connect(packet(0x30, {bytes({0})}), Version::k311, limits),
            "error malformed packet: packet ends inside a field");
}

TEST(PublishSizeDefaults, AreThoseOfTheSpecification) {
  const auto line = [](std::size_t payload_bytes) {
    const Limits limits;
    ServerConnection connection(limits);
    ServerRecorder events(connection);
    const Bytes in = cat({connect(), packet(0x32, {str("t"), u16(9), Bytes(payload_bytes, 'x')})});
    EXPECT_EQ(connection.receive(in, events), in.size());
    return events.lines.at(1);
  };
  EXPECT_EQ(line(262'144), "publish t qos1 retain0 dup0 id9 [(262144 bytes)]");
  EXPECT_EQ(line(262'145), "oversized t qos1 id9 262145 bytes");
  EXPECT_EQ(line(1'048'576), "oversized t qos1 id9 1048576 bytes");
  EXPECT_EQ(line(1'048'577), "error packet too large: payload exceeds what is read and discarded");
}

}  // namespace
}  // namespace mooring::mqtt::testing
