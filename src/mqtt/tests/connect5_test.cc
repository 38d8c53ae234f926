// CONNECT of MQTT 5: section 3.1.
#include "mqtt/tests/wire.h"

namespace mooring::mqtt::testing {
namespace {

Bytes connect5(int flags, std::initializer_list<Bytes> rest) {
  return packet(0x10, {connect_head("MQTT", 5, flags), cat(rest)});
}
std::string connect_line(int flags, std::initializer_list<Bytes> rest) {
  return first_line(serve(connect5(flags, rest)));
}
std::string with_properties(std::initializer_list<Bytes> properties) {
  return connect_line(0, {props(properties), str("c")});
}

TEST(Connect5, AllFields) {
  EXPECT_EQ(connect_line(0xF6, {props({bytes({0x11, 0, 0, 0, 9})}), str("client"),
                                props({bytes({0x18, 0, 0, 0, 5}), bytes({0x03}), str("text")}), str("w/t"), str("gone"),
                                str("user"), str("pw")}),
            "connect 5.0 [client] clean1 keep60 user[user] password[pw] will[w/t][gone] qos2 retain1 18=5 03=text "
            "properties 11=9");
  EXPECT_EQ(connect_line(0, {props(), str("")}), "connect 5.0 [] clean0 keep60");
}

TEST(Connect5, PropertiesBecomeFields) {
  const Bytes in =
      connect5(0x06, {props({bytes({0x11, 0, 0, 1, 0}), bytes({0x21, 0, 10}), bytes({0x27, 0, 1, 0, 0}),
                             bytes({0x22, 0, 7}), bytes({0x19, 1}), bytes({0x17, 0}), bytes({0x15}), str("m"),
                             bytes({0x16}), str("d"), bytes({0x26}), str("n"), str("v")}),
                      str("c"), props({bytes({0x18, 0, 0, 0, 5}), bytes({0x02, 0, 0, 0, 6})}), str("w"), str("")});
  struct Watch final {
    static void check(const Connect& c) {
      EXPECT_EQ(c.session_expiry_s, 256U);
      EXPECT_EQ(c.receive_maximum, 10);
      EXPECT_EQ(c.maximum_packet_bytes, 65'536U);
      EXPECT_EQ(c.topic_alias_maximum, 7);
      EXPECT_TRUE(c.request_response_information);
      EXPECT_FALSE(c.request_problem_information);
      EXPECT_EQ(c.authentication_method, "m");
      EXPECT_EQ(base::as_text(c.authentication_data), "d");
      ASSERT_TRUE(c.will);
      EXPECT_EQ(c.will->delay_s, 5U);
      EXPECT_EQ(c.will->message_expiry_s, 6U);
    }
  };
  const Limits limits;
  ServerConnection connection(limits);
  ServerRecorder events(connection);
  events.on_connect_packet = Watch::check;
  EXPECT_EQ(connection.receive(in, events), in.size());
  EXPECT_EQ(events.lines.size(), 1U);
}

TEST(Connect5, AbsentPropertiesHaveTheirDefaults) {
  const Limits limits;
  ServerConnection connection(limits);
  ServerRecorder events(connection);
  events.on_connect_packet = [](const Connect& c) {
    EXPECT_EQ(c.session_expiry_s, 0U);
    EXPECT_EQ(c.receive_maximum, 65'535);
    EXPECT_EQ(c.maximum_packet_bytes, 0U);
    EXPECT_EQ(c.topic_alias_maximum, 0);
    EXPECT_FALSE(c.request_response_information);
    EXPECT_TRUE(c.request_problem_information);
    EXPECT_FALSE(c.authentication_method);
  };
  const Bytes in = mqtt::testing::connect(Version::k5);
  EXPECT_EQ(connection.receive(in, events), in.size());
  EXPECT_EQ(events.lines.size(), 1U);
}

TEST(Connect5, PasswordWithoutUserName) {
  EXPECT_EQ(connect_line(0x40, {props(), str("c"), str("pw")}), "connect 5.0 [c] clean0 keep60 password[pw]");
}

TEST(Connect5, Flags_3_1_2_3_and_11_to_15) {
  EXPECT_EQ(connect_line(0x01, {props(), str("c")}),
            "error malformed packet: reserved connect flag is set [MQTT-3.1.2-3] 0x81");
  EXPECT_EQ(connect_line(0x1C, {props(), str("c"), props(), str("w"), str("")}),
            "error malformed packet: will QoS 3 [MQTT-3.1.2-14] 0x81");
  for (const int flags : {0x08, 0x10, 0x18, 0x20}) {
    EXPECT_EQ(connect_line(flags, {props(), str("c")}),
              "error malformed packet: will QoS or retain without will [MQTT-3.1.2-11, -13, -15] 0x81");
  }
}

TEST(Connect5, PropertyErrors) {
  EXPECT_EQ(with_properties({bytes({0x11, 0, 0, 0, 1}), bytes({0x11, 0, 0, 0, 1})}),
            "error protocol error: property given twice 0x82");
  EXPECT_EQ(with_properties({bytes({0x21, 0, 0})}), "error protocol error: property value is not allowed 0x82");
  EXPECT_EQ(with_properties({bytes({0x27, 0, 0, 0, 0})}), "error protocol error: property value is not allowed 0x82");
  EXPECT_EQ(with_properties({bytes({0x17, 2})}), "error protocol error: property value is not allowed 0x82");
  EXPECT_EQ(with_properties({bytes({0x01, 1})}),
            "error malformed packet: unknown property, or not one of this packet 0x81");
  EXPECT_EQ(with_properties({bytes({0x11, 0, 0})}),
            "error malformed packet: properties end inside a value, or a value is not of its type 0x81");
  EXPECT_EQ(with_properties({bytes({0x16}), str("d")}),
            "error protocol error: authentication data without authentication method 0x82");
  EXPECT_EQ(with_properties({bytes({0x16}), str("")}),
            "error protocol error: authentication data without authentication method 0x82");
  EXPECT_EQ(connect_line(0, {bytes({200}), str("c")}),
            "error malformed packet: property length is invalid or beyond the packet [MQTT-1.5.5-1] 0x81");
  EXPECT_EQ(connect_line(0, {bytes({0x80, 0x00}), str("c")}),
            "error malformed packet: property length is invalid or beyond the packet [MQTT-1.5.5-1] 0x81");
}

TEST(Connect5, WillProperties) {
  const auto will = [](std::initializer_list<Bytes> properties) {
    return connect_line(0x04, {props(), str("c"), props(properties), str("w"), str("")});
  };
  EXPECT_EQ(will({bytes({0x01, 1}), bytes({0x08}), str("r")}),
            "connect 5.0 [c] clean0 keep60 will[w][] qos0 retain0 01=1 08=r");
  EXPECT_EQ(will({bytes({0x23, 0, 1})}), "error malformed packet: unknown property, or not one of this packet 0x81");
  EXPECT_EQ(will({bytes({0x18, 0, 0, 0, 1}), bytes({0x18, 0, 0, 0, 1})}),
            "error protocol error: property given twice 0x82");
  EXPECT_EQ(connect_line(0x04, {props(), str("c"), props(), str("a/#"), str("")}),
            "error invalid topic: will topic is not a valid topic name [MQTT-4.7.3-1] 0x90");
}

// The owner has to answer with CONNACK, so it has to know how.
TEST(Connect5, VersionIsKnownWhenTheRestIsBad) {
  const Limits limits;
  for (const Bytes& in : {connect5(0, {bytes({5, 1})}), connect5(1, {props(), str("c")}), connect5(0, {})}) {
    ServerConnection connection(limits);
    ServerRecorder events(connection);
    EXPECT_EQ(connection.receive(in, events), in.size());
    EXPECT_EQ(first_line(events.lines).substr(0, 6), "error ");
    EXPECT_EQ(connection.version(), Version::k5);
    EXPECT_FALSE(connection.awaits_accept());
  }
}

TEST(Connect5, SecondConnect_3_1_0_2) {
  EXPECT_EQ(after_connect(mqtt::testing::connect(Version::k5), Version::k5),
            "error second CONNECT: second CONNECT [MQTT-3.1.0-2] 0x82");
}

}  // namespace
}  // namespace mooring::mqtt::testing
