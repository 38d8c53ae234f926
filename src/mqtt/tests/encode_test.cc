// Encoders: exact bytes, and what they write is read back by the decoders.
#include "mqtt/encode.h"

#include "mqtt/tests/wire.h"

namespace mooring::mqtt::testing {
namespace {

std::string hex(const SmallPacket& packet) {
  return base::to_hex(packet.view());
}

TEST(Encode, ConnackIsAlwaysFourBytes) {
  EXPECT_EQ(hex(encode_connack(Version::k311, ConnackCode::kAccepted)), "20020000");
  EXPECT_EQ(hex(encode_connack(Version::k311, ConnackCode::kAccepted, true)), "20020100");
  EXPECT_EQ(hex(encode_connack(Version::k31, ConnackCode::kAccepted, true)), "20020000");
  EXPECT_EQ(hex(encode_connack(Version::k311, ConnackCode::kNotAuthorized)), "20020005");
}

TEST(Encode, SessionPresentIsZeroWhenRefusing_3_2_2_4) {
  EXPECT_EQ(hex(encode_connack(Version::k311, ConnackCode::kBadUserNameOrPassword, true)), "20020004");
}

TEST(Encode, SmallPackets) {
  EXPECT_EQ(hex(encode_ack(Version::k311, PacketType::kPuback, 0x1234)), "40021234");
  EXPECT_EQ(hex(encode_ack(Version::k311, PacketType::kPubrec, 0x1234)), "50021234");
  EXPECT_EQ(hex(encode_ack(Version::k31, PacketType::kPubrel, 0x1234)), "62021234");
  EXPECT_EQ(hex(encode_ack(Version::k311, PacketType::kPubcomp, 0x1234)), "70021234");
  EXPECT_EQ(hex(encode_pingreq()), "c000");
  EXPECT_EQ(hex(encode_pingresp()), "d000");
  EXPECT_EQ(hex(encode_disconnect(Version::k31)), "e000");
  EXPECT_EQ(hex(encode_packet_id(0xABCD)), "abcd");
}

TEST(Encode, Suback) {
  Bytes out = bytes({0xAA});
  const std::uint8_t codes[] = {0, 1, 2, kSubackFailure};
  append_suback(out, Version::k311, 9, codes);
  EXPECT_EQ(base::to_hex(out), "aa9006000900010280");
}

TEST(Encode, UnsubackHasNoCodes) {
  Bytes out = bytes({0xAA});
  append_unsuback(out, Version::k311, 0x1234, {});
  EXPECT_EQ(base::to_hex(out), "aab0021234");
}

TEST(Encode, ConnectReadBack) {
  Connect packet;
  packet.client_id = "id";
  packet.username = "user";
  packet.password = base::as_bytes("secret");
  packet.keep_alive_s = 300;
  packet.clean_session = false;
  packet.will = Will{"w", base::as_bytes("gone"), 1, true};
  for (const Version version : kBoth) {
    packet.version = version;
    Bytes out;
    ASSERT_TRUE(append_connect(out, packet));
    EXPECT_EQ(first_line(serve(out)), fmt::format("connect {} [id] clean0 keep300 user[user] password[secret] "
                                                  "will[w][gone] qos1 retain1",
                                                  to_string(version)));
  }
}

TEST(Encode, ConnectRefusesWhatCannotBeSent) {
  const std::string too_long(65'536, 'x');
  const auto message = [](const Connect& packet) {
    Bytes out;
    const auto result = append_connect(out, packet);
    EXPECT_FALSE(result);
    EXPECT_TRUE(out.empty());
    return result ? std::string() : result.error().message;
  };
  Connect packet;
  packet.client_id = too_long;
  EXPECT_EQ(message(packet), "client identifier is too long or not UTF-8");
  packet.client_id = "c";
  packet.password = base::as_bytes("secret");
  EXPECT_EQ(message(packet), "password without user name");
  packet.username = "\xFF";
  EXPECT_EQ(message(packet), "user name is too long or not UTF-8");
  packet.username = "u";
  packet.password = base::as_bytes(too_long);
  EXPECT_EQ(message(packet), "password is too long");
  packet.password.reset();
  packet.will = Will{"a/#", {}, 0, false};
  EXPECT_EQ(message(packet), "will topic is not a valid topic name");
  packet.will = Will{"a", base::as_bytes(too_long), 0, false};
  EXPECT_EQ(message(packet), "will payload is too long");
  packet.will = Will{"a", {}, 3, false};
  EXPECT_EQ(message(packet), "will QoS is not 0, 1 or 2");
}

TEST(Encode, PublishReadBack) {
  Publish packet{"a/b", base::as_bytes("hi"), 1, true, true, 77};
  Bytes out;
  ASSERT_TRUE(append_publish(out, Version::k311, packet));
  EXPECT_EQ(after_connect(out), "publish a/b qos1 retain1 dup1 id77 [hi]");
  out.clear();
  ASSERT_TRUE(append_publish(out, Version::k311, Publish{"a", {}, 0, false, false, 0}));
  EXPECT_EQ(base::to_hex(out), "3003000161");
}

TEST(Encode, PublishRefusesWhatCannotBeSent) {
  const auto message = [](const Publish& packet) {
    Bytes out;
    const auto result = append_publish(out, Version::k311, packet);
    EXPECT_FALSE(result);
    EXPECT_TRUE(out.empty());
    return result ? std::string() : result.error().message;
  };
  EXPECT_EQ(message({"a/+", {}, 0, false, false, 0}), "topic is empty, too long, not UTF-8 or has a wildcard");
  EXPECT_EQ(message({"a", {}, 3, false, false, 1}), "QoS is not 0, 1 or 2");
  EXPECT_EQ(message({"a", {}, 1, false, false, 0}), "a packet identifier is needed with QoS 1 and 2 only");
  EXPECT_EQ(message({"a", {}, 0, false, false, 1}), "a packet identifier is needed with QoS 1 and 2 only");
  EXPECT_EQ(message({"a", {}, 0, false, true, 0}), "DUP with QoS 0");
}

TEST(Encode, SubscribeAndUnsubscribeReadBack) {
  Bytes out;
  const SubscribeEntry entries[] = {{"a/#", 1}, {"+", 0}};
  ASSERT_TRUE(append_subscribe(out, Version::k311, 5, entries));
  EXPECT_EQ(after_connect(out), "subscribe id5 (2) a/#:1 +:0");
  out.clear();
  const std::string_view filters[] = {"a/#", "+"};
  ASSERT_TRUE(append_unsubscribe(out, Version::k311, 6, filters));
  EXPECT_EQ(after_connect(out), "unsubscribe id6 (2) a/# +");
}

TEST(Encode, SubscribeRefusesWhatCannotBeSent) {
  Bytes out;
  const SubscribeEntry bad_filter[] = {{"a#", 0}};
  const SubscribeEntry bad_qos[] = {{"a", 3}};
  const SubscribeEntry good[] = {{"a", 0}};
  EXPECT_EQ(append_subscribe(out, Version::k311, 1, bad_filter).error().message, "invalid topic filter");
  EXPECT_EQ(append_subscribe(out, Version::k311, 1, bad_qos).error().message, "QoS is not 0, 1 or 2");
  EXPECT_EQ(append_subscribe(out, Version::k311, 0, good).error().message, "packet identifier is 0");
  EXPECT_EQ(append_subscribe(out, Version::k311, 1, {}).error().message, "no topic filter");
  const std::string_view filters[] = {"#/a"};
  EXPECT_EQ(append_unsubscribe(out, Version::k311, 1, filters).error().message, "invalid topic filter");
  EXPECT_EQ(append_unsubscribe(out, Version::k311, 1, {}).error().message, "no topic filter");
  EXPECT_TRUE(out.empty());
}

// ---- PublishLayout --------------------------------------------------------------------------------------------------

// Header, topic part, packet id and payload put together are what append_publish() writes.
TEST(PublishLayout, PartsMakeThePacket) {
  for (const std::size_t payload_bytes : {0U, 1U, 100U, 123U, 124U, 16'380U, 70'000U}) {
    const std::string topic = "a/b";
    const Bytes payload(payload_bytes, 'p');
    const PublishLayout layout(topic.size(), payload.size());
    Bytes block(layout.block_bytes());
    layout.write_block(block, topic, payload);
    for (std::uint8_t qos = 0; qos <= kMaxQos; ++qos) {
      const std::uint16_t id = qos > 0 ? 300 : 0;
      const bool dup = qos > 0;
      Bytes parts;
      const auto add = [&](ByteView part) { append(parts, part); };
      add(layout.header(qos, dup, true).view());
      add(layout.topic_part(block));
      if (qos > 0) add(encode_packet_id(id).view());
      add(layout.payload(block));
      Bytes expected;
      ASSERT_TRUE(append_publish(expected, Version::k311, {topic, payload, qos, true, dup, id}));
      EXPECT_EQ(parts, expected) << payload_bytes << " qos " << int{qos};
      ASSERT_EQ(layout.packet_bytes(qos), expected.size());
      Bytes whole(expected.size());
      layout.write_packet(whole.data(), block, qos, dup, true, id);
      EXPECT_EQ(whole, expected) << payload_bytes << " qos " << int{qos};
    }
  }
}

TEST(PublishLayout, WhatFitsInAPacket) {
  EXPECT_TRUE(PublishLayout::fits(1, 0));
  EXPECT_FALSE(PublishLayout::fits(0, 0));
  EXPECT_TRUE(PublishLayout::fits(65'535, 0));
  EXPECT_FALSE(PublishLayout::fits(65'536, 0));
  EXPECT_TRUE(PublishLayout::fits(1, kMaxRemainingLength - 5));
  EXPECT_FALSE(PublishLayout::fits(1, kMaxRemainingLength - 4));
}

}  // namespace
}  // namespace mooring::mqtt::testing
