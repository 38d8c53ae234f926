// CONNECT: MQTT 3.1.1 section 3.1, MQTT 3.1 section 3.1, connection.md 4.5 rows 1 and 2.
#include "mqtt/tests/wire.h"

namespace mooring::mqtt::testing {
namespace {

std::string connect_line(std::string_view name, int level, int flags, std::initializer_list<Bytes> payload) {
  return first_line(serve(packet(0x10, {connect_head(name, level, flags), cat(payload)})));
}
std::string connect_311(int flags, std::initializer_list<Bytes> payload) {
  return connect_line("MQTT", 4, flags, payload);
}
std::string connect_31(int flags, std::initializer_list<Bytes> payload) {
  return connect_line("MQIsdp", 3, flags, payload);
}

TEST(Connect, AllFields) {
  EXPECT_EQ(connect_311(0xF6, {str("client"), str("w/t"), str("gone"), str("dev&pk"), str("pw")}),
            "connect 3.1.1 [client] clean1 keep60 user[dev&pk] password[pw] will[w/t][gone] qos2 retain1");
  EXPECT_EQ(connect_31(0xEC, {str("client"), str("w/t"), str(""), str(""), str("")}),
            "connect 3.1 [client] clean0 keep60 user[] password[] will[w/t][] qos1 retain1");
  EXPECT_EQ(connect_311(0x00, {str("")}), "connect 3.1.1 [] clean0 keep60");
  EXPECT_EQ(connect_311(0x82, {str("c"), str("only-user")}), "connect 3.1.1 [c] clean1 keep60 user[only-user]");
}

TEST(Connect, LongClientIdentifierOfTheField) {
  const std::string id(1024, 'x');
  EXPECT_EQ(connect_311(0x02, {str(id)}), "connect 3.1.1 [" + id + "] clean1 keep60");
  EXPECT_EQ(connect_31(0x02, {str(id)}), "connect 3.1 [" + id + "] clean1 keep60");
}

TEST(Connect, FirstPacketMustBeConnect_3_1_0_1) {
  for (int type = 0; type < 16; ++type) {
    if (type == 1) continue;
    EXPECT_EQ(first_line(serve(packet(type << 4, {}))),
              "error first packet is not CONNECT: first packet is not CONNECT [MQTT-3.1.0-1]");
  }
}

TEST(Connect, SecondConnect_3_1_0_2) {
  for (const Version version : kBoth) {
    EXPECT_EQ(after_connect(connect(version), version), "error second CONNECT: second CONNECT [MQTT-3.1.0-2]");
  }
}

TEST(Connect, UnknownProtocolName_3_1_2_1) {
  for (const std::string_view name : {"", "mqtt", "MQTTX", "MQIsd", "HTTP"}) {
    EXPECT_EQ(connect_line(name, 4, 2, {str("c")}),
              "error unsupported protocol version: unknown protocol name [MQTT-3.1.2-1] reply 20020001");
  }
}

TEST(Connect, UnsupportedLevelGetsCode1_3_1_2_2) {
  const std::string error =
      "error unsupported protocol version: unsupported protocol level [MQTT-3.1.2-2] reply 20020001";
  for (const int level : {0, 1, 2, 3, 6, 7, 0x85, 255}) EXPECT_EQ(connect_line("MQTT", level, 2, {str("c")}), error);
  for (const int level : {0, 4, 5, 6, 0x83}) EXPECT_EQ(connect_line("MQIsdp", level, 2, {str("c")}), error);
  // What follows an unknown level is not judged: its layout is unknown.
  EXPECT_EQ(first_line(serve(packet(0x10, {str("MQTT"), bytes({2})}))), error);
}

TEST(Connect, BridgesAreToldCode1ToTryAgain) {
  for (const int level : {0x83, 0x84}) {
    EXPECT_EQ(connect_line("MQTT", level, 2, {str("c")}),
              "error unsupported protocol version: unsupported protocol level [MQTT-3.1.2-2] reply 20020001");
  }
}

TEST(Connect, ReservedFlag_3_1_2_3) {
  EXPECT_EQ(connect_311(0x03, {str("c")}), "error malformed packet: reserved connect flag is set [MQTT-3.1.2-3]");
  EXPECT_EQ(connect_31(0x03, {str("c")}), "connect 3.1 [c] clean1 keep60");  // "not used" in 3.1
}

TEST(Connect, WillQosAndRetainNeedAWill_3_1_2_11_13_15) {
  for (const int flags : {0x08, 0x10, 0x18, 0x20, 0x38}) {
    EXPECT_EQ(connect_311(flags, {str("c")}),
              "error malformed packet: will QoS or retain without will [MQTT-3.1.2-11, -13, -15]");
    EXPECT_EQ(connect_31(flags, {str("c")}), "connect 3.1 [c] clean0 keep60");
  }
}

TEST(Connect, WillQos3_3_1_2_14) {
  const std::string error = "error malformed packet: will QoS 3 [MQTT-3.1.2-14]";
  EXPECT_EQ(connect_311(0x1C, {str("c"), str("t"), str("")}), error);
  EXPECT_EQ(connect_31(0x1C, {str("c"), str("t"), str("")}), error);
}

TEST(Connect, WillTopicIsATopicName) {
  for (const std::string_view topic : {"", "#", "a/+/b"}) {
    EXPECT_EQ(connect_311(0x04, {str("c"), str(topic), str("")}),
              "error invalid topic: will topic is not a valid topic name [MQTT-4.7.3-1]");
  }
}

TEST(Connect, WillPayloadIsBinary) {
  EXPECT_EQ(connect_311(0x04, {str("c"), str("t"), str("\xFF\xFE")}),
            "connect 3.1.1 [c] clean0 keep60 will[t][\xFF\xFE] qos0 retain0");
}

TEST(Connect, PasswordNeedsUserName_3_1_2_22) {
  EXPECT_EQ(connect_311(0x40, {str("c"), str("pw")}),
            "error malformed packet: password without user name [MQTT-3.1.2-22]");
  EXPECT_EQ(connect_31(0x40, {str("c"), str("pw")}), "connect 3.1 [c] clean0 keep60 password[pw]");
}

// MQTT 3.1 section 3.1: the remaining length takes precedence over the user name and password flags.
TEST(Connect, CredentialsMayBeMissingInMqtt31) {
  EXPECT_EQ(connect_31(0xC2, {str("c")}), "connect 3.1 [c] clean1 keep60");
  EXPECT_EQ(connect_31(0xC2, {str("c"), str("u")}), "connect 3.1 [c] clean1 keep60 user[u]");
  EXPECT_EQ(connect_31(0xC2, {str("c"), bytes({0})}), "error malformed packet: packet ends inside a field");
  EXPECT_EQ(connect_311(0xC2, {str("c"), str("u")}), "error malformed packet: packet ends inside a field");
}

TEST(Connect, StringsAreUtf8WithoutNul_1_5_3) {
  const std::string error = "error malformed packet: string is not UTF-8 or contains U+0000 [MQTT-1.5.3-1, -2]";
  using namespace std::string_view_literals;
  for (const std::string_view bad : {"a\0b"sv, "\xFF"sv, "\xC0\x80"sv, "\xED\xA0\x80"sv, "\xF4\x90\x80\x80"sv}) {
    EXPECT_EQ(connect_311(0x02, {str(bad)}), error);
    EXPECT_EQ(connect_311(0x82, {str("c"), str(bad)}), error);
    EXPECT_EQ(connect_311(0x04, {str("c"), str(bad), str("")}), error);
    EXPECT_EQ(connect_line(bad, 4, 2, {str("c")}), error);
  }
  // Connection.md 4.1: blanks and line feeds occur in client identifiers of the field.
  EXPECT_EQ(connect_311(0x02, {str("a|b=1,\n c=2|")}), "connect 3.1.1 [a|b=1,\n c=2|] clean1 keep60");
}

TEST(Connect, EveryTruncationIsMalformed) {
  const Bytes body = cat({connect_head("MQTT", 4, 0xC6), str("client"), str("will/t"), str("w"), str("u"), str("p")});
  for (std::size_t size = 0; size < body.size(); ++size) {
    const Bytes part(body.begin(), body.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(first_line(serve(packet(0x10, {part}))), "error malformed packet: packet ends inside a field") << size;
  }
}

TEST(Connect, TrailingBytes) {
  for (const Version version : kBoth) {
    const bool old = version == Version::k31;
    EXPECT_EQ(connect_line(old ? "MQIsdp" : "MQTT", old ? 3 : 4, 2, {str("c"), bytes({0})}),
              "error malformed packet: bytes after the last field");
  }
}

TEST(Connect, LimitIsCheckedWhenTheHeaderIsRead) {
  Limits limits;
  limits.max_connect_bytes = 200;
  const std::string error = "error packet too large: packet exceeds the limit for its type";
  EXPECT_EQ(first_line(serve(bytes({0x10, 0xC6, 0x01}), limits)), error);  // 201 bytes in all
  const std::string id(200 - 3 - 10 - 2, 'x');                             // 200 bytes in all
  EXPECT_EQ(first_line(serve(packet(0x10, {connect_head("MQTT", 4, 2), str(id)}), limits)),
            "connect 3.1.1 [" + id + "] clean1 keep60");
  EXPECT_EQ(first_line(serve(bytes({0x10, 0xFF, 0xFF, 0xFF, 0x7F}))), error);
}

}  // namespace
}  // namespace mooring::mqtt::testing
