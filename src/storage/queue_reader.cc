#include "storage/queue_reader.h"

#include <algorithm>

#include "base/log.h"

namespace mooring::storage {

QueueReader::Outcome QueueReader::read(session::SessionNumber number, std::uint64_t from_sequence,
                                       std::size_t max_messages, std::size_t max_bytes) {
  Outcome outcome;
  if (dropped_.contains(number)) return outcome;
  auto& messages = outcome.page->messages;
  std::size_t bytes = 0;
  // More than once only when a blob turns out to be gone.
  for (;;) {
    auto piece = scan(number, from_sequence, max_messages - messages.size(), bytes < max_bytes ? max_bytes - bytes : 0);
    if (!piece) {
      outcome.page = tl::unexpected(piece.error());
      return outcome;
    }
    const std::size_t before = messages.size();
    if (auto added = add(*piece, outcome); !added) {
      outcome.page = tl::unexpected(added.error());
      return outcome;
    }
    bytes += piece->bytes;
    from_sequence = piece->next_sequence;
    outcome.page->at_end = piece->at_end;
    const bool is_complete = messages.size() - before == piece->items.size();
    if (piece->at_end || is_complete || bytes >= max_bytes) return outcome;
  }
}

QueueReader::Outcome QueueReader::measure(session::SessionNumber number) {
  Outcome outcome;
  if (dropped_.contains(number)) return outcome;
  const base::WallMs now_ms = clock_.wall_ms();
  const std::string prefix = session_prefix(number);
  session::QueueSize size;
  const auto scanned =
      database_.scan(Family::kQueue, {prefix, end_of(prefix)}, [&](std::string_view key, std::string_view value) {
        const auto item = decode_item(sequence_in(key), value);
        if (!item || has_expired(value, now_ms)) {
          outcome.expired.push_back(sequence_in(key));
          return true;
        }
        size.messages += 1;
        size.bytes += item->memory_bytes;
        size.last_sequence = item->stored.sequence;
        return true;
      });
  if (scanned) {
    outcome.size = size;
  } else {
    outcome.size = tl::unexpected(scanned.error());
  }
  return outcome;
}

base::Result<QueueReader::Piece> QueueReader::scan(session::SessionNumber number, std::uint64_t from_sequence,
                                                   std::size_t max_messages, std::size_t max_bytes) const {
  const base::WallMs now_ms = clock_.wall_ms();
  Piece piece;
  const auto each = [&](std::string_view key, std::string_view value) {
    const std::uint64_t sequence = sequence_in(key);
    if (has_expired(value, now_ms)) {
      piece.expired.push_back(sequence);
      return true;
    }
    if (piece.items.size() >= max_messages) {
      piece.at_end = false;
      return false;
    }
    auto item = decode_item(sequence, value);
    if (!item) {
      base::log_warn("storage", "left out of a queue: {}", item.error().message);
      piece.expired.push_back(sequence);
      return true;
    }
    if (!piece.items.empty() && piece.bytes + item->memory_bytes > max_bytes) {
      piece.at_end = false;
      return false;
    }
    piece.bytes += item->memory_bytes;
    piece.next_sequence = sequence + 1;
    piece.items.push_back(std::move(*item));
    return true;
  };
  const auto scanned =
      database_.scan(Family::kQueue, {queue_key(number, from_sequence), end_of(session_prefix(number))}, each);
  if (!scanned) return tl::unexpected(scanned.error());
  return piece;
}

base::Result<> QueueReader::add(Piece& piece, Outcome& outcome) {
  outcome.expired.insert(outcome.expired.end(), piece.expired.begin(), piece.expired.end());
  for (StoredItem& item : piece.items) {
    if (item.blob) {
      auto message = blob(*item.blob);
      if (!message) return tl::unexpected(message.error());
      if (!*message) {
        outcome.expired.push_back(item.stored.sequence);
        continue;
      }
      item.stored.message = std::move(*message);
    }
    outcome.page->messages.push_back(std::move(item.stored));
  }
  return {};
}

base::Result<mqtt::MessageRef> QueueReader::blob(BlobId id) {
  const auto known =
      std::find_if(recent_.begin(), recent_.end(), [id](const auto& entry) { return entry.first == id; });
  if (known != recent_.end()) return known->second;
  const auto value = database_.get(Family::kBlob, blob_message_key(id));
  if (!value) return tl::unexpected(value.error());
  if (!value->has_value()) return mqtt::MessageRef();
  auto message = decode_message(**value);
  if (!message) {
    base::log_warn("storage", "left out of queues: {}", message.error().message);
    return mqtt::MessageRef();
  }
  if ((*message)->memory_bytes() > kMaxRecentBytes) return message;
  recent_.emplace_back(id, *message);
  if (recent_.size() > kRecentBlobs) recent_.pop_front();
  return message;
}

}  // namespace mooring::storage
