#include "storage/message_codec.h"

#include <utility>

#include "base/assert.h"
#include "storage/big_endian.h"

namespace mooring::storage {
namespace {

constexpr std::uint64_t kVersion = 1;
constexpr std::size_t kHeadBytes = 1 + 1 + 8;

constexpr std::uint64_t kQosMask = 3;
constexpr std::uint64_t kRetain = 4;
constexpr std::uint64_t kReleased = 8;
constexpr std::uint64_t kIsBlob = 16;
constexpr std::uint64_t kItemFlags = kQosMask | kRetain | kReleased | kIsBlob;

tl::unexpected<base::Error> corrupt(std::string_view what) {
  return base::fail(base::Errc::kCorrupt, "stored message: " + std::string(what));
}

std::string begin(std::uint64_t flags, base::WallMs expires_at_ms, std::size_t more_bytes) {
  std::string out;
  out.reserve(kHeadBytes + more_bytes);
  put_number(out, kVersion, 1);
  put_number(out, flags, 1);
  put_number(out, static_cast<std::uint64_t>(expires_at_ms), 8);
  return out;
}

struct Head {
  std::uint64_t flags = 0;
  base::WallMs expires_at_ms = 0;
};

std::optional<Head> take_head(StoredReader& in) {
  const std::uint64_t version = in.number(1);
  Head head;
  head.flags = in.number(1);
  head.expires_at_ms = static_cast<base::WallMs>(in.number(8));
  if (!in.ok() || version != kVersion) return std::nullopt;
  return head;
}

std::size_t body_bytes(const mqtt::Message& message) {
  return 1 + 8 + 8 + 2 + message.topic().size() + 4 + message.properties().size() + message.payload().size();
}

void put_body(std::string& out, const mqtt::Message& message) {
  put_number(out, message.qos() | (message.retain() ? kRetain : 0), 1);
  put_number(out, message.publisher(), 8);
  put_number(out, static_cast<std::uint64_t>(message.expires_at_ms()), 8);
  put_number(out, message.topic().size(), 2);
  out.append(message.topic());
  put_number(out, message.properties().size(), 4);
  out.append(base::as_text(message.properties()));
  out.append(base::as_text(message.payload()));
}

std::optional<mqtt::MessageRef> take_body(StoredReader& in) {
  mqtt::MessageFields fields;
  const std::uint64_t flags = in.number(1);
  fields.qos = static_cast<std::uint8_t>(flags & kQosMask);
  fields.retain = (flags & kRetain) != 0;
  fields.publisher = in.number(8);
  fields.expires_at_ms = static_cast<base::WallMs>(in.number(8));
  const std::string_view topic = in.text(in.number(2));
  fields.properties = base::as_bytes(in.text(in.number(4)));
  const std::string_view payload = in.rest();
  constexpr std::size_t kMaxBytes = 268'435'455;  // mqtt/message.h
  if (!in.ok() || fields.qos > 2 || (flags & ~(kQosMask | kRetain)) != 0) return std::nullopt;
  if (payload.size() > kMaxBytes || fields.properties.size() > kMaxBytes) return std::nullopt;
  return mqtt::Message::create(topic, base::as_bytes(payload), fields);
}

std::string begin_item(const session::QueueItem& item, std::uint64_t flags, std::size_t more_bytes) {
  MOORING_ASSERT(item.subscription_ids.size() <= 0xFFFF);
  flags |= item.qos | (item.retain ? kRetain : 0);
  std::string out = begin(flags, item.expires_at_ms(), 2 + 4 * item.subscription_ids.size() + more_bytes);
  put_number(out, item.subscription_ids.size(), 2);
  for (const std::uint32_t id : item.subscription_ids) put_number(out, id, 4);
  return out;
}

bool take_ids(StoredReader& in, std::vector<std::uint32_t>& ids) {
  const std::uint64_t count = in.number(2);
  if (!in.ok() || count > in.left() / 4) return false;
  ids.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) ids.push_back(static_cast<std::uint32_t>(in.number(4)));
  return true;
}

bool take_content(StoredReader& in, const Head& head, StoredItem& item) {
  item.stored.drop_at_ms = head.expires_at_ms;
  if (item.stored.released) {
    item.stored.message = released_message();
  } else if ((head.flags & kIsBlob) != 0) {
    item.blob = in.number(8);
    item.memory_bytes = in.number(8);
    return in.at_end();
  } else {
    auto message = take_body(in);
    if (!message) return false;
    item.stored.message = std::move(*message);
  }
  item.memory_bytes = item.stored.message->memory_bytes();
  return in.at_end();
}

}  // namespace

std::string encode_item(const session::QueueItem& item) {
  std::string out = begin_item(item, 0, body_bytes(*item.message));
  put_body(out, *item.message);
  return out;
}

std::string encode_item(const session::QueueItem& item, BlobId blob) {
  std::string out = begin_item(item, kIsBlob, 8 + 8);
  put_number(out, blob, 8);
  put_number(out, item.message->memory_bytes(), 8);
  return out;
}

std::string encode_released() {
  std::string out = begin(2 | kReleased, 0, 2);
  put_number(out, 0, 2);
  return out;
}

base::Result<StoredItem> decode_item(std::uint64_t sequence, std::string_view value) {
  StoredReader in(value);
  const auto head = take_head(in);
  if (!head || (head->flags & ~kItemFlags) != 0) return corrupt("an item of another format");
  StoredItem item;
  item.expires_at_ms = head->expires_at_ms;
  item.stored.sequence = sequence;
  item.stored.qos = static_cast<std::uint8_t>(head->flags & kQosMask);
  item.stored.retain = (head->flags & kRetain) != 0;
  item.stored.released = (head->flags & kReleased) != 0;
  if (item.stored.qos > 2 || !take_ids(in, item.stored.subscription_ids) || !take_content(in, *head, item)) {
    return corrupt("an item is damaged");
  }
  return item;
}

std::optional<BlobId> blob_in_item(std::string_view value) {
  StoredReader in(value);
  const auto head = take_head(in);
  if (!head || (head->flags & kIsBlob) == 0) return std::nullopt;
  in.text(4 * in.number(2));
  const BlobId id = in.number(8);
  if (!in.ok()) return std::nullopt;
  return id;
}

std::string encode_message(const mqtt::Message& message, base::WallMs expires_at_ms) {
  std::string out = begin(0, expires_at_ms, body_bytes(message));
  put_body(out, message);
  return out;
}

base::Result<mqtt::MessageRef> decode_message(std::string_view value) {
  StoredReader in(value);
  const auto head = take_head(in);
  if (!head || head->flags != 0) return corrupt("a message of another format");
  auto message = take_body(in);
  if (!message) return corrupt("it is damaged");
  return std::move(*message);
}

std::string encode_count(std::uint32_t count, base::WallMs expires_at_ms) {
  std::string out = begin(0, expires_at_ms, 4);
  put_number(out, count, 4);
  return out;
}

base::Result<StoredCount> decode_count(std::string_view value) {
  StoredReader in(value);
  const auto head = take_head(in);
  const auto count = static_cast<std::uint32_t>(in.number(4));
  if (!head || !in.at_end()) return corrupt("a count is damaged");
  return StoredCount{count, head->expires_at_ms};
}

bool has_expired(std::string_view value, base::WallMs now_ms) {
  StoredReader in(value);
  const auto head = take_head(in);
  return head && head->expires_at_ms != 0 && head->expires_at_ms <= now_ms;
}

mqtt::MessageRef released_message() {
  return mqtt::Message::create({}, {}, 2, false);
}

}  // namespace mooring::storage
