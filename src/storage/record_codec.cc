#include "storage/record_codec.h"

#include <utility>

#include "base/assert.h"

namespace mooring::storage {
namespace {

constexpr char kRecordVersion = 1;
constexpr std::size_t kHeaderBytes = 1 + 8 + 4;
constexpr std::size_t kSubscriptionHeaderBytes = 1 + 2;

void put(std::string& out, std::uint64_t number, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out.push_back(static_cast<char>(number >> shift & 0xFF));
}

// The caller has checked that the bytes are there.
std::uint64_t take(std::string_view& in, std::size_t bytes) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < bytes; ++i) number = number << 8 | static_cast<std::uint8_t>(in[i]);
  in.remove_prefix(bytes);
  return number;
}

tl::unexpected<base::Error> corrupt(std::string_view what) {
  return base::fail(base::Errc::kCorrupt, "stored session record: " + std::string(what));
}

}  // namespace

std::string encode_record_key(std::string_view session_key) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : session_key) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3ULL;
  hash ^= hash >> 32;
  hash ^= hash >> 16;
  std::string key;
  key.reserve(2 + session_key.size());
  put(key, hash & 0xFFFF, 2);
  key.append(session_key);
  return key;
}

std::string encode_record(const session::SessionRecord& record, session::Epoch epoch) {
  std::size_t size = kHeaderBytes;
  for (const auto& subscription : record.subscriptions) size += kSubscriptionHeaderBytes + subscription.filter.size();
  std::string out;
  out.reserve(size);
  out.push_back(kRecordVersion);
  put(out, epoch, 8);
  put(out, record.subscriptions.size(), 4);
  for (const auto& subscription : record.subscriptions) {
    MOORING_ASSERT(subscription.filter.size() <= 0xFFFF);
    put(out, subscription.qos, 1);
    put(out, subscription.filter.size(), 2);
    out.append(subscription.filter);
  }
  return out;
}

base::Result<StoredRecord> decode_record(std::string_view session_key, std::string_view value) {
  const auto epoch = decode_record_epoch(value);
  if (!epoch) return tl::unexpected(epoch.error());
  value.remove_prefix(kHeaderBytes - 4);
  const std::uint64_t count = take(value, 4);
  if (count > value.size() / kSubscriptionHeaderBytes) return corrupt("more subscriptions than bytes");
  StoredRecord stored{*epoch, {std::string(session_key), {}}};
  stored.record.subscriptions.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    if (value.size() < kSubscriptionHeaderBytes) return corrupt("cut short");
    const auto qos = static_cast<std::uint8_t>(take(value, 1));
    const std::size_t length = take(value, 2);
    if (qos > 2 || value.size() < length) return corrupt("a subscription is damaged");
    stored.record.subscriptions.push_back({std::string(value.substr(0, length)), qos});
    value.remove_prefix(length);
  }
  if (!value.empty()) return corrupt("bytes left over");
  return stored;
}

base::Result<session::Epoch> decode_record_epoch(std::string_view value) {
  if (value.size() < kHeaderBytes) return corrupt("cut short");
  if (value.front() != kRecordVersion) return corrupt("unknown version");
  value.remove_prefix(1);
  return take(value, 8);
}

std::string encode_number(std::uint64_t number) {
  std::string out;
  put(out, number, 8);
  return out;
}

base::Result<std::uint64_t> decode_number(std::string_view value) {
  if (value.size() != 8) return corrupt("a number of another length");
  return take(value, 8);
}

}  // namespace mooring::storage
