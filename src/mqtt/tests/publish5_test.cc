// PUBLISH of MQTT 5 and its acknowledgements: sections 3.3 to 3.7.
#include "mqtt/tests/wire.h"

namespace mooring::mqtt::testing {
namespace {

Limits wide_limits() {
  Limits limits;
  limits.max_qos = 2;
  limits.topic_alias_maximum = 3;
  return limits;
}
std::string line(const Bytes& in, const Limits& limits = wide_limits()) {
  return after_connect(in, Version::k5, limits);
}
Bytes alias(int number) {
  return bytes({0x23, number >> 8, number & 0xFF});
}
// QoS 0 with an alias.
Bytes aliased(std::string_view topic, int number, std::string_view payload) {
  return packet(0x30, {str(topic), props({alias(number)}), raw(payload)});
}

TEST(Publish5, Fields) {
  EXPECT_EQ(line(packet(0x30, {str("a/b"), props(), raw("hello")})), "publish a/b qos0 retain0 dup0 id0 [hello]");
  EXPECT_EQ(line(packet(0x3D, {str("a"), u16(7), props({bytes({0x01, 1}), bytes({0x26}), str("n"), str("v")})})),
            "publish a qos2 retain1 dup1 id7 [] 01=1 26=n:v");
}

TEST(Publish5, PropertiesBecomeFields) {
  const Limits limits;
  ServerConnection connection(limits);
  ServerRecorder events(connection);
  events.on_publish_packet = [](const Publish& p) {
    EXPECT_EQ(p.message_expiry_s, 60U);
    EXPECT_EQ(p.payload_format, 1);
    EXPECT_EQ(p.response_topic, "r");
    EXPECT_EQ(p.user_property_count, 2U);
  };
  const Bytes user = cat({bytes({0x26}), str("n"), str("v")});
  const Bytes in =
      cat({connect(Version::k5), packet(0x30, {str("a"), props({bytes({0x02, 0, 0, 0, 60}), user, bytes({0x01, 1}),
                                                                bytes({0x08}), str("r"), user})})});
  EXPECT_EQ(connection.receive(in, events), in.size());
  EXPECT_EQ(events.lines.size(), 2U);
}

TEST(Publish5, CountOfUserPropertiesEndsAt255) {
  const Limits limits;
  ServerConnection connection(limits);
  ServerRecorder events(connection);
  int count = 0;
  events.on_publish_packet = [&](const Publish& p) { count = p.user_property_count; };
  Bytes block;
  for (int i = 0; i < 300; ++i) append_user_property(block, "", "");  // 1,500 bytes
  const Bytes in = cat({connect(Version::k5), packet(0x30, {str("a"), bytes({0xDC, 0x0B}), block})});
  EXPECT_EQ(connection.receive(in, events), in.size());
  EXPECT_EQ(count, 255);
}

TEST(Publish5, Errors) {
  EXPECT_EQ(line(packet(0x36, {str("a"), u16(1), props()})), "error malformed packet: QoS 3 [MQTT-3.3.1-4] 0x81");
  EXPECT_EQ(line(packet(0x38, {str("a"), props()})), "error malformed packet: DUP with QoS 0 [MQTT-3.3.1-2] 0x81");
  EXPECT_EQ(line(packet(0x32, {str("a"), u16(0), props()})),
            "error malformed packet: packet identifier 0 [MQTT-2.3.1-1] 0x82");
  EXPECT_EQ(line(packet(0x30, {str("a/+"), props()})),
            "error invalid topic: topic is empty or has a wildcard [MQTT-4.7.3-1, MQTT-3.3.2-2] 0x90");
  EXPECT_EQ(line(packet(0x30, {str("\xFF"), props()})),
            "error malformed packet: string is not UTF-8 or contains U+0000 [MQTT-1.5.3-1, -2] 0x81");
  EXPECT_EQ(line(packet(0x30, {str("a"), bytes({9})})),
            "error malformed packet: property length is invalid or beyond the packet [MQTT-1.5.5-1] 0x81");
  EXPECT_EQ(line(packet(0x30, {str("a")})),
            "error malformed packet: property length is invalid or beyond the packet [MQTT-1.5.5-1] 0x81");
  EXPECT_EQ(line(packet(0x30, {str("a"), props({bytes({0x0B, 1})})})),
            "error protocol error: property that this side must not send [MQTT-3.3.4-6, MQTT-3.14.2-2] 0x82");
}

TEST(Publish5, QosAboveTheLimit_3_2_2_11) {
  Limits limits;
  limits.max_qos = 1;
  EXPECT_EQ(line(packet(0x34, {str("a"), u16(1), props()}), limits),
            "error QoS not supported: PUBLISH with a QoS that is not offered 0x9b");
}

TEST(Publish5, RetainWhereItIsNotOffered_3_2_2_14) {
  Limits limits;
  limits.retain_available = false;
  const Bytes in = packet(0x31, {str("a"), props()});
  EXPECT_EQ(line(in, limits), "error protocol error: PUBLISH with retain, which is not offered [MQTT-3.2.2-14] 0x9a");
  EXPECT_EQ(after_connect(packet(0x31, {str("a")}), Version::k311, limits), "publish a qos0 retain1 dup0 id0 []");
}

// ---- Topic alias: section 3.3.2.3.4 ---------------------------------------------------------------------------------

TEST(TopicAlias, StandsForTheTopic) {
  const Bytes in = cat({connect(Version::k5), aliased("first", 1, "a"), aliased("", 1, "b"), aliased("third", 3, "c"),
                        aliased("", 1, "d"), aliased("other", 1, "e"), aliased("", 1, "f"), aliased("", 3, "g")});
  const std::vector<std::string> lines = serve(in, wide_limits());
  ASSERT_EQ(lines.size(), 8U);
  EXPECT_EQ(lines[1], "publish first qos0 retain0 dup0 id0 [a] 23=1");
  EXPECT_EQ(lines[2], "publish first qos0 retain0 dup0 id0 [b] 23=1");
  EXPECT_EQ(lines[4], "publish first qos0 retain0 dup0 id0 [d] 23=1");
  EXPECT_EQ(lines[6], "publish other qos0 retain0 dup0 id0 [f] 23=1");
  EXPECT_EQ(lines[7], "publish third qos0 retain0 dup0 id0 [g] 23=3");
}

TEST(TopicAlias, OutOfRange_3_3_2_8_and_9) {
  EXPECT_EQ(line(aliased("a", 0, "")), "error invalid topic alias: topic alias 0 [MQTT-3.3.2-8] 0x94");
  EXPECT_EQ(line(aliased("a", 4, "")), "error invalid topic alias: topic alias above the maximum [MQTT-3.3.2-9] 0x94");
  EXPECT_EQ(line(aliased("a", 1, ""), Limits()),
            "error invalid topic alias: topic alias above the maximum [MQTT-3.3.2-9] 0x94");
}

TEST(TopicAlias, WithoutAMeaning) {
  EXPECT_EQ(line(aliased("", 2, "")),
            "error invalid topic alias: topic alias that stands for nothing yet [MQTT-3.3.2-12] 0x82");
  EXPECT_EQ(line(packet(0x30, {str(""), props()})), "error protocol error: no topic and no topic alias 0x82");
}

TEST(TopicAlias, HandlerMayCloseAndGoOnReadingTheTopic) {
  const Limits limits = wide_limits();
  ServerConnection connection(limits);
  ServerRecorder events(connection);
  const Bytes in = cat({connect(Version::k5), aliased("topic", 1, "a"), aliased("", 1, "b")});
  events.on_publish_packet = [&](const Publish& p) {
    connection.close();
    EXPECT_EQ(p.topic, "topic");
  };
  EXPECT_EQ(connection.receive(in, events), in.size());
  EXPECT_EQ(events.lines.size(), 2U);
}

TEST(TopicAlias, MemoryIsAllocatedOnUseOnly) {
  const Limits limits = wide_limits();
  ServerConnection connection(limits);
  ServerRecorder events(connection);
  const Bytes plain = cat({connect(Version::k5), packet(0x30, {str("a"), props()})});
  EXPECT_EQ(connection.receive(plain, events), plain.size());
  EXPECT_EQ(connection.alias_bytes(), 0U);
  const Bytes in = aliased(std::string(5000, 'a'), 1, "");
  EXPECT_EQ(connection.receive(in, events), in.size());
  EXPECT_GE(connection.alias_bytes(), 5000U);
  const Bytes shorter = aliased("b", 1, "");
  EXPECT_EQ(connection.receive(shorter, events), shorter.size());
  EXPECT_LT(connection.alias_bytes(), 1000U);
}

// ---- Sizes ----------------------------------------------------------------------------------------------------------

class PublishSize5 : public ::testing::Test {
 protected:
  PublishSize5() {
    limits.max_packet_bytes = 60;
    limits.max_payload_bytes = 100;
    limits.max_discarded_payload_bytes = 400;
  }
  std::string publish(std::size_t payload_bytes, const Bytes& properties = props(), std::string_view topic = "t") {
    return line(packet(0x32, {str(topic), u16(9), properties, Bytes(payload_bytes, 'x')}), limits);
  }
  // A block of exactly this size: one user property.
  static Bytes property_bytes(std::size_t size) {
    return props({cat({bytes({0x26}), str(""), str(std::string(size - 5, 'v'))})});
  }
  Limits limits = wide_limits();
};

TEST_F(PublishSize5, PropertiesDoNotCountAsPayload) {
  EXPECT_EQ(publish(100), "publish t qos1 retain0 dup0 id9 [(100 bytes)]");
  EXPECT_EQ(publish(100, property_bytes(60)).substr(0, 45), "publish t qos1 retain0 dup0 id9 [(100 bytes)]");
  EXPECT_EQ(publish(101), "oversized t qos1 id9 101 bytes");
  EXPECT_EQ(publish(400, property_bytes(60)), "oversized t qos1 id9 400 bytes");
  EXPECT_EQ(publish(401), "error packet too large: payload exceeds what is read and discarded 0x95");
}

TEST_F(PublishSize5, PropertiesHaveALimitOfTheirOwn) {
  const std::string error = "error packet too large: properties exceed the limit 0x95";
  EXPECT_EQ(publish(0, property_bytes(61)), error);
  EXPECT_EQ(publish(300, property_bytes(61)), error);
  // Said before the properties arrive.
  EXPECT_EQ(line(cat({bytes({0x30, 0xFF, 0x01}), str("t"), bytes({61})}), limits), error);
}

TEST_F(PublishSize5, RulesHoldForSkippedPacketsToo) {
  EXPECT_EQ(publish(300, props({bytes({0x11, 0, 0, 0, 1})})),
            "error malformed packet: unknown property, or not one of this packet 0x81");
  EXPECT_EQ(publish(300, bytes({0x80, 0x00})),
            "error malformed packet: property length is invalid or beyond the packet [MQTT-1.5.5-1] 0x81");
  EXPECT_EQ(publish(300, bytes({0x80, 0x80, 0x80, 0x80, 0x01})),
            "error malformed packet: property length is invalid or beyond the packet [MQTT-1.5.5-1] 0x81");
}

TEST_F(PublishSize5, AliasesOfSkippedPacketsCount) {
  const Bytes big = Bytes(300, 'x');
  const Bytes in = cat({connect(Version::k5), packet(0x30, {str("t"), props({alias(1)}), big}),
                        packet(0x30, {str(""), props({alias(1)}), big}), aliased("", 1, "y")});
  const std::vector<std::string> lines = serve(in, limits);
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(lines[1], "oversized t qos0 id0 300 bytes");
  EXPECT_EQ(lines[2], "oversized t qos0 id0 300 bytes");
  EXPECT_EQ(lines[3], "publish t qos0 retain0 dup0 id0 [y] 23=1");
}

// ---- Acknowledgements -----------------------------------------------------------------------------------------------

TEST(Acks5, ReasonAndPropertiesMayBeMissing_3_4_2_1) {
  const struct {
    int first;
    std::string_view name;
    int reason;
    std::string_view reason_name;
  } cases[] = {{0x40, "puback", 0x87, "not authorized"},
               {0x50, "pubrec", 0x10, "no matching subscribers"},
               {0x62, "pubrel", 0x92, "packet identifier not found"},
               {0x70, "pubcomp", 0x92, "packet identifier not found"}};
  const Bytes properties = props({bytes({0x1F}), str("why"), bytes({0x26}), str("n"), str("v")});
  for (const auto& c : cases) {
    const std::string plain = fmt::format("{} 9", c.name);
    const std::string reason = fmt::format("{} {}", plain, c.reason_name);
    EXPECT_EQ(line(packet(c.first, {u16(9)})), plain);
    EXPECT_EQ(line(packet(c.first, {u16(9), bytes({0})})), plain);
    EXPECT_EQ(line(packet(c.first, {u16(9), bytes({0, 0})})), plain);
    EXPECT_EQ(line(packet(c.first, {u16(9), bytes({c.reason})})), reason);
    EXPECT_EQ(line(packet(c.first, {u16(9), bytes({c.reason}), properties})), reason);
  }
}

TEST(Acks5, Errors) {
  EXPECT_EQ(line(packet(0x40, {u16(9), bytes({0x92})})),
            "error protocol error: reason code is not one of this packet 0x82");
  EXPECT_EQ(line(packet(0x62, {u16(9), bytes({0x10})})),
            "error protocol error: reason code is not one of this packet 0x82");
  EXPECT_EQ(line(packet(0x40, {u16(0)})), "error malformed packet: packet identifier 0 [MQTT-2.3.1-1] 0x82");
  EXPECT_EQ(line(packet(0x40, {bytes({1})})), "error malformed packet: packet ends inside a field 0x81");
  EXPECT_EQ(line(packet(0x40, {u16(9), bytes({0, 0, 0})})), "error malformed packet: bytes after the last field 0x81");
  EXPECT_EQ(line(packet(0x40, {u16(9), bytes({0, 2, 0x01, 1})})),
            "error malformed packet: unknown property, or not one of this packet 0x81");
  Limits limits;
  limits.max_packet_bytes = 50;
  EXPECT_EQ(line(bytes({0x40, 49}), limits), "error packet too large: packet exceeds the limit for its type 0x95");
}

TEST(Acks5, OfQos2WhereItIsNotOffered) {
  for (const int first : {0x50, 0x62, 0x70}) {
    EXPECT_EQ(line(packet(first, {u16(1)}), Limits()),
              "error unexpected packet: QoS 2 acknowledgement, though QoS 2 is not offered 0x82");
  }
}

}  // namespace
}  // namespace mooring::mqtt::testing
