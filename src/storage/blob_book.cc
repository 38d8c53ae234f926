#include "storage/blob_book.h"

#include <algorithm>
#include <string>

#include "storage/message_codec.h"

namespace mooring::storage {

base::Result<BlobBook::Found> BlobBook::find(const RocksDatabase& database) {
  Found found;
  const auto scanned = database.scan(Family::kBlob, {"c", end_of("c"), true}, [&found](std::string_view key, auto) {
    found.newest = std::max(found.newest, id_in(key));
    found.live += 1;
    return true;
  });
  if (!scanned) return tl::unexpected(scanned.error());
  return found;
}

void BlobBook::begin_group() {
  expected_.clear();
  created_.clear();
  changes_.clear();
  added_.clear();
  dropped_.clear();
  gone_.clear();
}

void BlobBook::expect(const mqtt::MessageRef& message) {
  if (message->payload().size() > kMinPayloadBytes) expected_[&*message] += 1;
}

std::optional<BlobId> BlobBook::add_item(const session::QueueItem& item) {
  const mqtt::Message& message = *item.message;
  if (message.payload().size() <= kMinPayloadBytes) return std::nullopt;
  BlobId id = 0;
  if (const auto known = created_.find(&message); known != created_.end()) {
    id = known->second;
  } else if (const Recent* recent = recent_of(message)) {
    id = recent->id;
  } else {
    const auto expected = expected_.find(&message);
    if (expected == expected_.end() || expected->second < kMinItems) return std::nullopt;
    id = next_id_++;
    created_.emplace(&message, id);
    changes_[id].created = item.message;
    changes_[id].expires_at_ms = item.expires_at_ms();
  }
  changes_[id].by += 1;
  added_[{item.session, item.sequence}] = id;
  return id;
}

void BlobBook::drop_item(session::SessionNumber number, std::uint64_t sequence) {
  const auto added = added_.find({number, sequence});
  if (added != added_.end()) {
    changes_[added->second].by -= 1;
    added_.erase(added);
    return;
  }
  if (live_ == 0) return;
  const auto value = database_.get(Family::kQueue, queue_key(number, sequence));
  if (value && value->has_value()) drop_known_item(number, sequence, **value);
}

void BlobBook::drop_known_item(session::SessionNumber number, std::uint64_t sequence, std::string_view value) {
  const auto id = blob_in_item(value);
  // Twice in one group counts once.
  if (id && dropped_.emplace(ItemKey(number, sequence), *id).second) changes_[*id].by -= 1;
}

base::Result<> BlobBook::finish_group(RocksDatabase::Batch& batch) {
  for (const auto& [id, change] : changes_) {
    if (auto applied = apply(id, change, batch); !applied) return applied;
  }
  return {};
}

base::Result<> BlobBook::apply(BlobId id, const Change& change, RocksDatabase::Batch& batch) {
  std::int64_t count = change.by;
  base::WallMs expires_at_ms = 0;
  if (change.created) {
    if (count <= 0) return {};
    expires_at_ms = change.expires_at_ms;
    batch.put(Family::kBlob, blob_message_key(id), encode_message(*change.created, expires_at_ms));
  } else {
    if (count == 0) return {};
    const auto value = database_.get(Family::kBlob, blob_count_key(id));
    if (!value && count > 0) return tl::unexpected(value.error());
    // Not there: it has expired, and so have the items.
    if (!value || !value->has_value()) return {};
    const auto stored = decode_count(**value);
    if (!stored && count > 0) return tl::unexpected(stored.error());
    if (!stored) return {};
    count += stored->count;
    expires_at_ms = stored->expires_at_ms;
  }
  if (count > 0) {
    batch.put(Family::kBlob, blob_count_key(id), encode_count(static_cast<std::uint32_t>(count), expires_at_ms));
    return {};
  }
  batch.erase(Family::kBlob, blob_count_key(id));
  batch.erase(Family::kBlob, blob_message_key(id));
  gone_.push_back(id);
  return {};
}

void BlobBook::end_group(bool written) {
  if (written) {
    for (const auto& [message, id] : created_) {
      const Change& change = changes_[id];
      if (change.by <= 0) continue;
      live_ += 1;
      if (message->memory_bytes() > kMaxRecentBytes) continue;
      recent_.push_back({change.created, id});
    }
    live_ -= std::min<std::uint64_t>(live_, gone_.size());
    std::erase_if(recent_, [this](const Recent& recent) {
      return std::find(gone_.begin(), gone_.end(), recent.id) != gone_.end();
    });
    while (recent_.size() > kRecent) recent_.pop_front();
  }
  begin_group();
}

const BlobBook::Recent* BlobBook::recent_of(const mqtt::Message& message) const {
  const auto at = std::find_if(recent_.begin(), recent_.end(),
                               [&message](const Recent& recent) { return &*recent.message == &message; });
  return at == recent_.end() ? nullptr : &*at;
}

}  // namespace mooring::storage
