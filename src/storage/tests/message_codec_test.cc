#include "storage/message_codec.h"

#include <gtest/gtest.h>

#include <random>

#include "storage/big_endian.h"
#include "storage/tests/store_calls.h"

namespace mooring::storage {
namespace {

mqtt::MessageRef full_message() {
  mqtt::MessageFields fields;
  static const base::Bytes kProperties{'p', 'r'};
  fields.qos = 2;
  fields.retain = true;
  fields.expires_at_ms = 0x0102;
  fields.publisher = 3;
  fields.properties = kProperties;
  return mqtt::Message::create("t/u", base::as_bytes("body"), fields);
}

session::QueueItemRef full_item() {
  auto item = item_of(1, 2, full_message());
  item->qos = 1;
  item->retain = true;
  item->subscription_ids = {4, 5};
  return item;
}

const std::string kHead("\x01\x05\0\0\0\0\0\0\x01\x02\0\x02\0\0\0\x04\0\0\0\x05", 20);
const std::string kBody(
    "\x06\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\x01\x02\0\x03t/u\0\0\0\x02pr"
    "body",
    32);

TEST(MessageCodec, BytesOfTheFormat) {
  EXPECT_EQ(encode_item(*full_item()), kHead + kBody);
  EXPECT_EQ(encode_message(*full_message(), 0x0102), std::string("\x01\0\0\0\0\0\0\0\x01\x02", 10) + kBody);
  auto dropped_earlier = full_item();
  dropped_earlier->drop_at_ms = 0x0101;
  EXPECT_EQ(encode_item(*dropped_earlier)[9], '\x01') << "the earlier of the publisher's and the server's word";
  EXPECT_EQ(encode_item(*dropped_earlier).substr(20), kBody) << "the publisher's goes on to the client";
  EXPECT_EQ(encode_released(), std::string("\x01\x0A\0\0\0\0\0\0\0\0\0\0", 12));
  EXPECT_EQ(encode_count(7, 0x0102), std::string("\x01\0\0\0\0\0\0\0\x01\x02\0\0\0\x07", 14));
  std::string blob = kHead;
  blob[1] = 0x15;
  put_number(blob, 99, 8);
  put_number(blob, full_message()->memory_bytes(), 8);
  EXPECT_EQ(encode_item(*full_item(), 99), blob);
  EXPECT_EQ(blob_in_item(blob), std::optional<BlobId>(99));
  EXPECT_EQ(blob_in_item(kHead + kBody), std::nullopt);
}

TEST(MessageCodec, KeysSortBySequence) {
  EXPECT_EQ(queue_key(0x0102, 3).substr(2), std::string("\0\0\0\0\0\0\x01\x02\0\0\0\0\0\0\0\x03", 16));
  EXPECT_EQ(received_key(0x0102, 0x0304).substr(2), std::string("\0\0\0\0\0\0\x01\x02\x03\x04", 10));
  EXPECT_LT(queue_key(7, 255), queue_key(7, 256));
  EXPECT_EQ(number_in(queue_key(~0ULL, 5)), ~0ULL);
  EXPECT_EQ(sequence_in(queue_key(4, ~0ULL)), ~0ULL);
  EXPECT_EQ(packet_id_in(received_key(4, 65'535)), 65'535);
  EXPECT_EQ(id_in(blob_message_key(12)), 12U);
  EXPECT_EQ(number_in("short"), 0U);
  EXPECT_EQ(sequence_in("short"), 0U);
  EXPECT_EQ(end_of("ab"), "ac");
  EXPECT_EQ(end_of("a\xFF"), "b");
  EXPECT_EQ(end_of("\xFF\xFF"), "");
}

TEST(MessageCodec, ExpiryIsFoundInEveryValue) {
  for (const std::string& value : {encode_item(*full_item()), encode_item(*full_item(), 9),
                                   encode_message(*full_message(), 0x0102), encode_count(1, 0x0102)}) {
    EXPECT_FALSE(has_expired(value, 0x0101));
    EXPECT_TRUE(has_expired(value, 0x0102));
  }
  EXPECT_FALSE(has_expired(encode_released(), 1LL << 60));
  EXPECT_FALSE(has_expired("", 1LL << 60));
  EXPECT_FALSE(has_expired(std::string("\x02\0\0\0\0\0\0\0\0\x01", 10), 1LL << 60)) << "another format";
}

TEST(MessageCodec, EveryCutOfTheHeadIsNoticed) {
  const std::string item = kHead + kBody;
  for (std::size_t length = 0; length < item.size() - 4; ++length) {  // the payload is what is left
    EXPECT_FALSE(decode_item(1, std::string_view(item).substr(0, length)).has_value()) << length;
  }
  const std::string message = encode_message(*full_message(), 0x0102);
  for (std::size_t length = 0; length < message.size() - 4; ++length) {
    EXPECT_FALSE(decode_message(std::string_view(message).substr(0, length)).has_value()) << length;
  }
  const std::string blob = encode_item(*full_item(), 9);
  for (std::size_t length = 0; length < blob.size(); ++length) {
    EXPECT_FALSE(decode_item(1, std::string_view(blob).substr(0, length)).has_value()) << length;
  }
  EXPECT_FALSE(decode_item(1, blob + "x").has_value());
  EXPECT_FALSE(decode_item(1, encode_released() + "x").has_value());
  EXPECT_FALSE(decode_count(encode_count(1, 1) + "x").has_value());
}

TEST(MessageCodec, AnyBytesAreSafe) {
  std::mt19937 random(9);
  for (const std::string& whole : {encode_item(*full_item()), encode_item(*full_item(), 9), encode_released(),
                                   encode_message(*full_message(), 0x0102), encode_count(3, 4)}) {
    for (int round = 0; round < 10'000; ++round) {
      std::string bytes = whole;
      for (int i = 0; i < 3; ++i) {
        bytes[std::uniform_int_distribution<std::size_t>(0, bytes.size() - 1)(random)] = static_cast<char>(random());
      }
      const auto item = decode_item(1, bytes);
      if (item && item->stored.message) {
        ASSERT_LE(item->stored.message->payload().size(), bytes.size());
      }
      const auto message = decode_message(bytes);
      if (message) {
        ASSERT_LE((*message)->payload().size(), bytes.size());
      }
      static_cast<void>(decode_count(bytes));
      static_cast<void>(blob_in_item(bytes));
      static_cast<void>(has_expired(bytes, 5));
    }
  }
}

}  // namespace
}  // namespace mooring::storage
