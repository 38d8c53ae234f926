// Encoders of MQTT 5: exact bytes, and what they write is read back by the decoders.
#include "mqtt/decode.h"
#include "mqtt/encode.h"
#include "mqtt/tests/wire.h"

namespace mooring::mqtt::testing {
namespace {

std::string hex(const SmallPacket& packet) {
  return base::to_hex(packet.view());
}

TEST(Encode5, Acks) {
  using Type = PacketType;
  EXPECT_EQ(hex(encode_ack(Version::k5, Type::kPuback, 0x1234)), "40021234");
  EXPECT_EQ(hex(encode_ack(Version::k5, Type::kPuback, 0x1234, ReasonCode::kNoMatchingSubscribers)), "4003123410");
  EXPECT_EQ(hex(encode_ack(Version::k5, Type::kPubrec, 0x1234, ReasonCode::kQuotaExceeded)), "5003123497");
  EXPECT_EQ(hex(encode_ack(Version::k5, Type::kPubrel, 0x1234, ReasonCode::kPacketIdentifierNotFound)), "6203123492");
  EXPECT_EQ(hex(encode_ack(Version::k5, Type::kPubcomp, 0x1234, ReasonCode::kPacketIdentifierNotFound)), "7003123492");
  EXPECT_EQ(hex(encode_ack(Version::k311, Type::kPuback, 0x1234, ReasonCode::kNotAuthorized)), "40021234");
}

TEST(Encode5, Connack) {
  Bytes out = bytes({0xAA});
  append_connack5(out, ReasonCode::kSuccess, true, {});
  EXPECT_EQ(base::to_hex(out), "aa2003010000");
  out.clear();
  append_connack5(out, ReasonCode::kNotAuthorized, true, {});  // MQTT-3.2.2-6
  EXPECT_EQ(base::to_hex(out), "2003008700");
  out.clear();
  ConnackProperties properties;
  properties.receive_maximum = 10;
  properties.maximum_qos = 1;
  properties.server_keep_alive_s = 0;
  append_connack5(out, ReasonCode::kSuccess, false, properties);
  EXPECT_EQ(base::to_hex(out),
            "200b0000"
            "08"
            "21000a"
            "2401"
            "130000");
}

TEST(Encode5, ConnackReadBack) {
  ConnackProperties p;
  p.session_expiry_s = 7;
  p.receive_maximum = 10;
  p.maximum_qos = 0;
  p.retain_available = false;
  p.maximum_packet_bytes = 1'000'000;
  p.assigned_client_identifier = "auto";
  p.topic_alias_maximum = 9;
  p.reason_string = "why";
  p.wildcard_subscription_available = false;
  p.subscription_identifiers_available = false;
  p.shared_subscription_available = false;
  p.server_keep_alive_s = 30;
  p.response_information = "info";
  p.server_reference = "there";
  p.authentication_method = "m";
  p.authentication_data = base::as_bytes("d");
  Bytes out;
  append_connack5(out, ReasonCode::kSuccess, false, p);
  const auto read = decode_connack(Version::k5, ByteView(out).subspan(2));
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->accepted());
  const ConnackProperties& q = read->properties;
  EXPECT_EQ(q.session_expiry_s, 7U);
  EXPECT_EQ(q.receive_maximum, 10);
  EXPECT_EQ(q.maximum_qos, 0);
  EXPECT_FALSE(q.retain_available);
  EXPECT_EQ(q.maximum_packet_bytes, 1'000'000U);
  EXPECT_EQ(q.assigned_client_identifier, "auto");
  EXPECT_EQ(q.topic_alias_maximum, 9);
  EXPECT_EQ(q.reason_string, "why");
  EXPECT_FALSE(q.wildcard_subscription_available);
  EXPECT_FALSE(q.subscription_identifiers_available);
  EXPECT_FALSE(q.shared_subscription_available);
  EXPECT_EQ(q.server_keep_alive_s, 30);
  EXPECT_EQ(q.response_information, "info");
  EXPECT_EQ(q.server_reference, "there");
  EXPECT_EQ(q.authentication_method, "m");
  EXPECT_EQ(base::as_text(q.authentication_data), "d");
  Bytes again;
  append_connack5(again, read->reason, read->session_present, q);
  EXPECT_EQ(again, out);
}

TEST(Encode5, SubackAndUnsuback) {
  Bytes out;
  const std::uint8_t granted[] = {0, 1, 2, 0x87};
  append_suback(out, Version::k5, 9, granted);
  EXPECT_EQ(base::to_hex(out),
            "90070009"
            "00"
            "00010287");
  out.clear();
  const std::uint8_t ended[] = {0, 0x11};
  append_unsuback(out, Version::k5, 9, ended);
  EXPECT_EQ(base::to_hex(out),
            "b0050009"
            "00"
            "0011");
  out.clear();
  append_unsuback(out, Version::k311, 9, ended);
  EXPECT_EQ(base::to_hex(out), "b0020009");
}

TEST(Encode5, Disconnect) {
  EXPECT_EQ(hex(encode_disconnect(Version::k5)), "e000");
  EXPECT_EQ(hex(encode_disconnect(Version::k5, ReasonCode::kServerShuttingDown)), "e0018b");
  EXPECT_EQ(hex(encode_disconnect(Version::k311, ReasonCode::kDisconnectWithWill)), "e000");
  Bytes out;
  append_disconnect(out, ReasonCode::kSessionTakenOver, "other");
  EXPECT_EQ(base::to_hex(out),
            "e00a8e"
            "08"
            "1f00056f74686572");
  out.clear();
  append_disconnect(out, ReasonCode::kSuccess, "", 5);
  EXPECT_EQ(base::to_hex(out),
            "e00700"
            "05"
            "1100000005");
}

TEST(Encode5, Auth) {
  Bytes out;
  append_auth(out, {ReasonCode::kContinueAuthentication, "m", base::as_bytes("d"), {}});
  EXPECT_EQ(base::to_hex(out),
            "f00a18"
            "08"
            "1500016d"
            "16000164");
  EXPECT_EQ(after_connect(out, Version::k5), "auth continue authentication m 64");
}

TEST(Encode5, ConnectReadBack) {
  Bytes user;
  append_user_property(user, "n", "v");
  Bytes will_rest;
  append_property(will_rest, PropertyId::kContentType, "text");
  Connect packet;
  packet.version = Version::k5;
  packet.client_id = "id";
  packet.password = base::as_bytes("secret");  // alone, which MQTT 5 allows
  packet.will = Will{"w", base::as_bytes("gone"), 1, true, 5, 6, will_rest};
  packet.session_expiry_s = 9;
  packet.receive_maximum = 10;
  packet.maximum_packet_bytes = 11;
  packet.topic_alias_maximum = 12;
  packet.request_response_information = true;
  packet.request_problem_information = false;
  packet.authentication_method = "m";
  packet.authentication_data = base::as_bytes("d");
  packet.properties = user;
  Bytes out;
  ASSERT_TRUE(append_connect(out, packet));
  EXPECT_EQ(first_line(serve(out)),
            "connect 5.0 [id] clean1 keep0 password[secret] will[w][gone] qos1 retain1 18=5 02=6 03=text properties "
            "11=9 21=10 27=11 22=12 19=1 17=0 15=m 16=64 26=n:v");
}

// Fields win over the block, and nothing is written twice.
TEST(Encode5, FieldsAndBlockAreMerged) {
  Bytes block;
  append_property(block, PropertyId::kSessionExpiryInterval, 1);
  append_property(block, PropertyId::kReceiveMaximum, 2);
  Connect packet;
  packet.version = Version::k5;
  packet.session_expiry_s = 9;
  packet.properties = block;
  Bytes out;
  ASSERT_TRUE(append_connect(out, packet));
  EXPECT_EQ(first_line(serve(out)), "connect 5.0 [] clean1 keep0 properties 11=9 21=2");
}

TEST(Encode5, ConnectRefusesWhatCannotBeSent) {
  const auto message = [](const Connect& packet) {
    Bytes out;
    const auto result = append_connect(out, packet);
    EXPECT_FALSE(result);
    EXPECT_TRUE(out.empty());
    return result ? std::string() : result.error().message;
  };
  Connect packet;
  packet.version = Version::k5;
  packet.receive_maximum = 0;
  EXPECT_EQ(message(packet), "property value is not allowed");
  packet.receive_maximum = 1;
  packet.authentication_data = base::as_bytes("d");
  EXPECT_EQ(message(packet), "authentication data without authentication method");
  packet.authentication_method = "\xFF";
  EXPECT_EQ(message(packet), "authentication method is too long or not UTF-8");
  packet.authentication_method = "m";
  const Bytes bad = bytes({0x01, 1});
  packet.properties = bad;
  EXPECT_EQ(message(packet), "unknown property, or not one of this packet");
  packet.properties = {};
  packet.will = Will{"w", {}, 0, false};
  const Bytes bad_will = bytes({0x23, 0, 1});
  packet.will->properties = bad_will;
  EXPECT_EQ(message(packet), "unknown property, or not one of this packet");
}

TEST(Encode5, PublishReadBack) {
  Bytes block;
  append_property(block, PropertyId::kTopicAlias, 1);
  append_user_property(block, "n", "v");
  Publish packet{"a/b", base::as_bytes("hi"), 1, true, true, 77};
  packet.message_expiry_s = 60;
  packet.payload_format = 1;
  packet.response_topic = "r";
  packet.properties = block;
  Limits limits;
  limits.topic_alias_maximum = 1;
  Bytes out;
  ASSERT_TRUE(append_publish(out, Version::k5, packet));
  EXPECT_EQ(after_connect(out, Version::k5, limits),
            "publish a/b qos1 retain1 dup1 id77 [hi] 01=1 02=60 08=r 23=1 26=n:v");
  packet.topic = "";  // the alias stands for it
  EXPECT_TRUE(append_publish(out, Version::k5, packet));
  const std::vector<std::string> lines = serve(cat({connect(Version::k5), out}), limits);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[2], lines[1]);
}

TEST(Encode5, PublishRefusesWhatCannotBeSent) {
  const auto message = [](const Publish& packet) {
    Bytes out;
    const auto result = append_publish(out, Version::k5, packet);
    EXPECT_FALSE(result);
    EXPECT_TRUE(out.empty());
    return result ? std::string() : result.error().message;
  };
  EXPECT_EQ(message({"", {}, 0, false, false, 0}), "topic is empty, too long, not UTF-8 or has a wildcard");
  Publish packet{"a", {}, 0, false, false, 0};
  packet.response_topic = "a/#";
  EXPECT_EQ(message(packet), "response topic is empty or has a wildcard [MQTT-3.3.2-14]");
  const std::string too_long(65'536, 'x');
  packet.response_topic = too_long;
  EXPECT_EQ(message(packet), "response topic is too long");
}

TEST(Encode5, SubscribeAndUnsubscribeReadBack) {
  Bytes out;
  const SubscribeEntry entries[] = {{"a/#", 1, true, true, RetainHandling::kDoNotSend}, {"$share/g/+", 0}};
  ASSERT_TRUE(append_subscribe(out, Version::k5, 5, entries, 200));
  EXPECT_EQ(after_connect(out, Version::k5),
            "subscribe id5 (2) a/#:1 no-local as-published handling2 $share/g/+:0 subscription200");
  out.clear();
  ASSERT_TRUE(append_subscribe(out, Version::k311, 5, entries, 200));
  EXPECT_EQ(after_connect(out), "subscribe id5 (2) a/#:1 $share/g/+:0");
  out.clear();
  const std::string_view filters[] = {"a/#", "+"};
  ASSERT_TRUE(append_unsubscribe(out, Version::k5, 6, filters));
  EXPECT_EQ(after_connect(out, Version::k5), "unsubscribe id6 (2) a/# +");
}

TEST(Encode5, SubscribeRefusesWhatCannotBeSent) {
  Bytes out;
  const SubscribeEntry good[] = {{"a", 0}};
  const SubscribeEntry bad_group[] = {{"$share/g", 0}};
  const SubscribeEntry no_local[] = {{"$share/g/a", 0, true}};
  EXPECT_EQ(append_subscribe(out, Version::k5, 1, bad_group).error().message, "invalid topic filter");
  EXPECT_EQ(append_subscribe(out, Version::k5, 1, no_local).error().message, "No Local on a shared subscription");
  EXPECT_EQ(append_subscribe(out, Version::k5, 1, good, 268'435'456).error().message,
            "subscription identifier is above 268435455");
  EXPECT_TRUE(out.empty());
}

// ---- Publish5Head ---------------------------------------------------------------------------------------------------

std::string head_line(const Message& message, std::uint8_t qos, std::uint16_t id, const PublishExtras& extras,
                      const Bytes& before = {}) {
  const Publish5Head head(message, qos, false, true, id, extras);
  EXPECT_TRUE(head.fits());
  Bytes out(head.bytes());
  head.write(out.data());
  append(out, message.payload());
  EXPECT_EQ(out.size(), head.packet_bytes());
  const Bytes in = cat({bytes({0x20, 3, 0, 0, 0}), before, out});
  return consume(in, Version::k5, ClientConnection::kDefaultMaxPacketBytes, 300).back();
}

TEST(Publish5Head, IsReadBack) {
  Bytes properties;
  append_property(properties, PropertyId::kContentType, "text");
  append_user_property(properties, "n", "v");
  MessageFields fields;
  fields.properties = properties;
  const MessageRef message = Message::create("a/b", base::as_bytes("hi"), fields);
  EXPECT_EQ(head_line(*message, 0, 0, {}), "publish a/b qos0 retain1 dup0 id0 [hi] 03=text 26=n:v");
  const std::uint32_t ids[] = {1, 127, 128, 268'435'455};
  EXPECT_EQ(head_line(*message, 2, 513, {60, 258, false, ids}),
            "publish a/b qos2 retain1 dup0 id513 [hi] 02=60 23=258 03=text 26=n:v 0b=1 0b=127 0b=128 0b=268435455");
}

TEST(Publish5Head, WithoutATopic) {
  const MessageRef message = Message::create("a/b", base::as_bytes("hi"), 1, false);
  const Bytes named = packet(0x30, {str("a/b"), props({bytes({0x23, 0, 7})})});
  EXPECT_EQ(head_line(*message, 1, 9, {std::nullopt, 7, true, {}}, named),
            "publish a/b qos1 retain1 dup0 id9 [hi] 23=7");
}

TEST(Publish5Head, IsWhatAppendPublishWrites) {
  for (const std::size_t payload_bytes : {0U, 1U, 120U, 121U, 122U, 123U, 124U, 16'370U, 16'380U, 70'000U}) {
    const Bytes payload(payload_bytes, 'p');
    const MessageRef message = Message::create("a/b", payload, 2, false);
    for (std::uint8_t qos = 0; qos <= kMaxQos; ++qos) {
      const std::uint16_t id = qos > 0 ? 300 : 0;
      Publish packet{"a/b", payload, qos, false, qos > 0, id};
      packet.message_expiry_s = 60;
      Bytes expected;
      ASSERT_TRUE(append_publish(expected, Version::k5, packet));
      const Publish5Head head(*message, qos, qos > 0, false, id, {60, 0, false, {}});
      Bytes parts(head.bytes());
      head.write(parts.data());
      append(parts, payload);
      EXPECT_EQ(parts, expected) << payload_bytes << " qos " << int{qos};
      EXPECT_EQ(head.packet_bytes(), expected.size());
    }
  }
}

TEST(Publish5Head, KnowsWhatDoesNotFitAPacket) {
  const Bytes properties = cat({bytes({0x26}), str(""), str("v")});
  MessageFields fields;
  fields.properties = properties;
  const MessageRef fitting = Message::create("a", Bytes(1000, 'x'), fields);
  EXPECT_TRUE(Publish5Head(*fitting, 0, false, false, 0, {}).fits());
  const MessageRef huge = Message::create("a", Bytes(kMaxRemainingLength - 3, 'x'), fields);
  EXPECT_FALSE(Publish5Head(*huge, 0, false, false, 0, {}).fits());
}

}  // namespace
}  // namespace mooring::mqtt::testing
