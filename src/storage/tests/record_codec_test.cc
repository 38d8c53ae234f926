#include "storage/record_codec.h"

#include <gtest/gtest.h>

#include <random>

namespace mooring::storage {
namespace {

TEST(RecordCodec, BytesOfTheFormat) {
  const session::SessionRecord record{"k", {{"a/b", 1}, {"", 0}}};
  const std::string expected(
      "\x01"
      "\0\0\0\0\0\0\x01\x02"
      "\0\0\0\x02"
      "\x01\0\x03"
      "a/b"
      "\0\0\0",
      22);
  EXPECT_EQ(encode_record(record, 0x102), expected);
  const std::string key("d\0pk\0dn", 7);
  EXPECT_EQ(encode_record_key(key), "\x1f\xbf" + key);
  EXPECT_EQ(encode_record_key(""), "\xf0\x11");
}

TEST(RecordCodec, RoundTrip) {
  const session::SessionRecord record{std::string("d\0pk\0dn", 7),
                                      {{"/pk/dn/user/+", 1}, {std::string(65'535, 'x'), 0}}};
  const auto stored = decode_record(record.key, encode_record(record, 77));
  ASSERT_TRUE(stored.has_value());
  EXPECT_EQ(stored->epoch, 77U);
  EXPECT_EQ(stored->record.key, record.key);
  EXPECT_EQ(stored->record.subscriptions, record.subscriptions);
  EXPECT_EQ(decode_record_epoch(encode_record(record, 78)).value_or(0), 78U);
  EXPECT_EQ(decode_number(encode_number(~0ULL)).value_or(0), ~0ULL);
}

TEST(RecordCodec, EveryCutIsNoticed) {
  const std::string whole = encode_record({"k", {{"a/b", 1}, {"c", 0}}}, 5);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const auto cut = decode_record("k", std::string_view(whole).substr(0, length));
    ASSERT_FALSE(cut.has_value()) << length;
    EXPECT_EQ(cut.error().code, base::Errc::kCorrupt);
  }
  EXPECT_FALSE(decode_record("k", whole + "x").has_value());
  std::string other_version = whole;
  other_version[0] = 2;
  EXPECT_FALSE(decode_record("k", other_version).has_value());
  EXPECT_FALSE(decode_number("1234567").has_value());
}

TEST(RecordCodec, AnyBytesAreSafe) {
  std::mt19937 random(9);
  const std::string whole = encode_record({"k", {{"a/b", 1}, {"c", 0}, {"dd", 1}}}, 5);
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
