#include "storage/record_codec.h"

#include <gtest/gtest.h>

#include <random>

#include "storage/key_codec.h"

namespace mooring::storage {
namespace {

using session::SessionRecord;

SessionRecord small_record() {
  SessionRecord record;
  record.key = "k";
  record.number = 0x0304;
  record.subscriptions = {{"a/b", 1, true, true, 5}, {"", 0}};
  record.expiry_s = 7;
  record.offline_since_ms = 9;
  record.keeps_messages = false;
  record.will = session::WillRecord{"w", {'p', 'q'}, {'x'}, 2, true, 1, 2};
  return record;
}

void expect_same(const SessionRecord& left, const SessionRecord& right) {
  EXPECT_EQ(left.key, right.key);
  EXPECT_EQ(left.number, right.number);
  EXPECT_EQ(left.subscriptions, right.subscriptions);
  EXPECT_EQ(left.expiry_s, right.expiry_s);
  EXPECT_EQ(left.offline_since_ms, right.offline_since_ms);
  EXPECT_EQ(left.keeps_messages, right.keeps_messages);
  EXPECT_EQ(left.will, right.will);
  EXPECT_EQ(left.automatic, right.automatic);
  EXPECT_EQ(left.automatic_left, right.automatic_left);
  EXPECT_EQ(left.standard_device, right.standard_device);
}

TEST(RecordCodec, BytesOfTheFormat) {
  const std::string expected(
      "\x02"
      "\0\0\0\0\0\0\x01\x02"
      "\0\0\0\0\0\0\x03\x04"
      "\0\0\0\x07"
      "\0\0\0\0\0\0\0\x09"
      "\x02"
      "\0\0\0\x02"
      "\x0D\0\0\0\x05\0\x03"
      "a/b"
      "\0\0\0\0\0\0\0"
      "\x06\0\0\0\x01\0\0\0\x02"
      "\0\x01w"
      "\0\0\0\x01x"
      "\0\0\0\x02pq",
      74);
  EXPECT_EQ(encode_record(small_record(), 0x102), expected);
  const std::string key("d\0pk\0dn", 7);
  EXPECT_EQ(partitioned_key(key), "\x1f\xbf" + key);
  EXPECT_EQ(partitioned_key(""), "\xf0\x11");
}

TEST(RecordCodec, RoundTrip) {
  SessionRecord record = small_record();
  record.subscriptions.push_back({std::string(65'535, 'x'), 2});
  record.will->payload.resize(100'000, 7);
  record.number = ~0ULL;
  const auto stored = decode_record(record.key, encode_record(record, 77));
  ASSERT_TRUE(stored.has_value());
  EXPECT_EQ(stored->epoch, 77U);
  expect_same(stored->record, record);
  EXPECT_EQ(decode_record_epoch(encode_record(record, 78)).value_or(0), 78U);
  EXPECT_EQ(decode_number(encode_number(~0ULL)).value_or(0), ~0ULL);
}

TEST(RecordCodec, EveryFlagIsKept) {
  for (unsigned flags = 0; flags < 16; ++flags) {
    SessionRecord record;
    record.key = "k";
    record.keeps_messages = (flags & 1) != 0;
    if ((flags & 2) != 0) record.will = small_record().will;
    record.automatic = (flags & 4) != 0;
    record.automatic_left = record.automatic ? 5 : 0;
    record.standard_device = (flags & 8) != 0;
    const std::string bytes = encode_record(record, 1);
    EXPECT_EQ(bytes[29], static_cast<char>(flags));
    const auto stored = decode_record("k", bytes);
    ASSERT_TRUE(stored.has_value());
    expect_same(stored->record, record);
  }
}

TEST(RecordCodec, ReadsVersion1) {
  const std::string stored_then(
      "\x01"
      "\0\0\0\0\0\0\x01\x02"
      "\0\0\0\x02"
      "\x01\0\x03"
      "a/b"
      "\0\0\0",
      22);
  const auto stored = decode_record("k", stored_then);
  ASSERT_TRUE(stored.has_value());
  EXPECT_EQ(stored->epoch, 0x102U);
  EXPECT_EQ(decode_record_epoch(stored_then).value_or(0), 0x102U);
  SessionRecord expected;  // everything new at its default
  expected.key = "k";
  expected.subscriptions = {{"a/b", 1}, {"", 0}};
  expect_same(stored->record, expected);
  EXPECT_FALSE(decode_record("k", stored_then + "x").has_value());
  EXPECT_FALSE(decode_record("k", std::string_view(stored_then).substr(0, 20)).has_value());
}

TEST(RecordCodec, EveryCutIsNoticed) {
  const std::string whole = encode_record(small_record(), 5);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const auto cut = decode_record("k", std::string_view(whole).substr(0, length));
    ASSERT_FALSE(cut.has_value()) << length;
    EXPECT_EQ(cut.error().code, base::Errc::kCorrupt);
  }
  EXPECT_FALSE(decode_record("k", whole + "x").has_value());
  std::string other_version = whole;
  other_version[0] = 3;
  EXPECT_FALSE(decode_record("k", other_version).has_value());
  EXPECT_FALSE(decode_record_epoch(other_version).has_value());
  EXPECT_FALSE(decode_number("1234567").has_value());
}

TEST(RecordCodec, AnyBytesAreSafe) {
  std::mt19937 random(9);
  const std::string whole = encode_record(small_record(), 5);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = whole;
    for (int i = 0; i < 3; ++i) {
      bytes[std::uniform_int_distribution<std::size_t>(1, bytes.size() - 1)(random)] = static_cast<char>(random());
    }
    const auto stored = decode_record("k", bytes);
    if (stored) {
      ASSERT_EQ(encode_record(stored->record, stored->epoch), bytes);
    }
  }
}

}  // namespace
}  // namespace mooring::storage
