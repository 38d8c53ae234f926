#include "storage/record_codec.h"

#include <utility>

#include "base/assert.h"
#include "storage/big_endian.h"

namespace mooring::storage {
namespace {

using session::SessionRecord;
using session::SubscriptionRecord;
using session::WillRecord;

constexpr std::uint64_t kVersion1 = 1;
constexpr std::uint64_t kVersion2 = 2;
constexpr std::size_t kVersion1SubscriptionBytes = 1 + 2;      // without the filter
constexpr std::size_t kVersion2SubscriptionBytes = 1 + 4 + 2;  // without the filter

constexpr std::uint64_t kKeepsMessages = 1;
constexpr std::uint64_t kHasWill = 2;
constexpr std::uint64_t kAutomatic = 4;  // eight bytes follow the will: what was unsubscribed
constexpr std::uint64_t kStandardDevice = 8;
constexpr std::uint64_t kKnownFlags = kKeepsMessages | kHasWill | kAutomatic | kStandardDevice;
constexpr std::uint64_t kQosMask = 3;
constexpr std::uint64_t kNoLocal = 4;
constexpr std::uint64_t kRetainAsPublished = 8;
constexpr std::uint64_t kWillRetain = 4;

tl::unexpected<base::Error> corrupt(std::string_view what) {
  return base::fail(base::Errc::kCorrupt, "stored session record: " + std::string(what));
}

void put_text(std::string& out, std::string_view text, int length_bytes) {
  MOORING_ASSERT(length_bytes >= 4 || text.size() <= 0xFFFF);
  put_number(out, text.size(), length_bytes);
  out.append(text);
}

void put_subscription(std::string& out, const SubscriptionRecord& subscription) {
  put_number(out,
             subscription.qos | (subscription.no_local ? kNoLocal : 0) |
                 (subscription.retain_as_published ? kRetainAsPublished : 0),
             1);
  put_number(out, subscription.subscription_id, 4);
  put_text(out, subscription.filter, 2);
}

void put_will(std::string& out, const WillRecord& will) {
  put_number(out, will.qos | (will.retain ? kWillRetain : 0), 1);
  put_number(out, will.delay_s, 4);
  put_number(out, will.message_expiry_s, 4);
  put_text(out, will.topic, 2);
  put_text(out, base::as_text(will.properties), 4);
  put_text(out, base::as_text(will.payload), 4);
}

bool take_subscription(StoredReader& in, std::uint64_t version, SubscriptionRecord& subscription) {
  const std::uint64_t options = in.number(1);
  const bool known = version == kVersion1 ? options <= 2 : (options & ~std::uint64_t{15}) == 0;
  subscription.qos = static_cast<std::uint8_t>(options & kQosMask);
  subscription.no_local = (options & kNoLocal) != 0;
  subscription.retain_as_published = (options & kRetainAsPublished) != 0;
  if (version != kVersion1) subscription.subscription_id = static_cast<std::uint32_t>(in.number(4));
  subscription.filter = in.text(in.number(2));
  return in.ok() && known && subscription.qos <= 2;
}

bool take_will(StoredReader& in, WillRecord& will) {
  const std::uint64_t options = in.number(1);
  will.qos = static_cast<std::uint8_t>(options & kQosMask);
  will.retain = (options & kWillRetain) != 0;
  will.delay_s = static_cast<std::uint32_t>(in.number(4));
  will.message_expiry_s = static_cast<std::uint32_t>(in.number(4));
  will.topic = in.text(in.number(2));
  const base::ByteView properties = base::as_bytes(in.text(in.number(4)));
  will.properties.assign(properties.begin(), properties.end());
  const base::ByteView payload = base::as_bytes(in.text(in.number(4)));
  will.payload.assign(payload.begin(), payload.end());
  return in.ok() && will.qos <= 2 && (options & ~std::uint64_t{7}) == 0;
}

base::Result<> take_subscriptions(StoredReader& in, std::uint64_t version, SessionRecord& record) {
  const std::uint64_t count = in.number(4);
  const std::size_t least_bytes = version == kVersion1 ? kVersion1SubscriptionBytes : kVersion2SubscriptionBytes;
  if (!in.ok() || count > in.left() / least_bytes) return corrupt("more subscriptions than bytes");
  record.subscriptions.resize(count);
  for (SubscriptionRecord& subscription : record.subscriptions) {
    if (!take_subscription(in, version, subscription)) return corrupt("a subscription is damaged");
  }
  return {};
}

std::uint64_t flags_of(const SessionRecord& record) {
  return (record.keeps_messages ? kKeepsMessages : 0) | (record.will ? kHasWill : 0) |
         (record.automatic ? kAutomatic : 0) | (record.standard_device ? kStandardDevice : 0);
}

}  // namespace

std::string encode_record(const SessionRecord& record, session::Epoch epoch) {
  std::string out;
  put_number(out, kVersion2, 1);
  put_number(out, epoch, 8);
  put_number(out, record.number, 8);
  put_number(out, record.expiry_s, 4);
  put_number(out, static_cast<std::uint64_t>(record.offline_since_ms), 8);
  put_number(out, flags_of(record), 1);
  put_number(out, record.subscriptions.size(), 4);
  for (const SubscriptionRecord& subscription : record.subscriptions) put_subscription(out, subscription);
  if (record.will) put_will(out, *record.will);
  if (record.automatic) put_number(out, record.automatic_left, 8);
  return out;
}

base::Result<StoredRecord> decode_record(std::string_view session_key, std::string_view value) {
  StoredReader in(value);
  const std::uint64_t version = in.number(1);
  if (!in.ok() || (version != kVersion1 && version != kVersion2)) return corrupt("unknown version");
  StoredRecord stored;
  stored.epoch = in.number(8);
  SessionRecord& record = stored.record;
  record.key = session_key;
  std::uint64_t flags = kKeepsMessages;
  if (version == kVersion2) {
    record.number = in.number(8);
    record.expiry_s = static_cast<std::uint32_t>(in.number(4));
    record.offline_since_ms = static_cast<base::WallMs>(in.number(8));
    flags = in.number(1);
    if ((flags & ~kKnownFlags) != 0) return corrupt("unknown flags");
  }
  record.keeps_messages = (flags & kKeepsMessages) != 0;
  if (auto taken = take_subscriptions(in, version, record); !taken) return tl::unexpected(std::move(taken.error()));
  if ((flags & kHasWill) != 0 && !take_will(in, record.will.emplace())) return corrupt("the will is damaged");
  record.automatic = (flags & kAutomatic) != 0;
  record.standard_device = (flags & kStandardDevice) != 0;
  if (record.automatic) record.automatic_left = in.number(8);
  if (!in.ok()) return corrupt("cut short");
  if (!in.at_end()) return corrupt("bytes left over");
  return stored;
}

base::Result<session::Epoch> decode_record_epoch(std::string_view value) {
  StoredReader in(value);
  const std::uint64_t version = in.number(1);
  const session::Epoch epoch = in.number(8);
  if (!in.ok()) return corrupt("cut short");
  if (version != kVersion1 && version != kVersion2) return corrupt("unknown version");
  return epoch;
}

std::string encode_number(std::uint64_t number) {
  std::string out;
  put_number(out, number, 8);
  return out;
}

base::Result<std::uint64_t> decode_number(std::string_view value) {
  if (value.size() != 8) return corrupt("a number of another length");
  return StoredReader(value).number(8);
}

}  // namespace mooring::storage
