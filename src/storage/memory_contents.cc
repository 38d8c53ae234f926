#include "storage/memory_contents.h"

#include <algorithm>
#include <utility>

#include "storage/message_codec.h"

namespace mooring::storage {
namespace {

using session::SessionNumber;
using session::StoredMessage;
using session::StoreOperation;

bool is_expired(const StoredMessage& stored, base::WallMs now_ms) {
  return stored.drop_at_ms != 0 && stored.drop_at_ms <= now_ms;
}

}  // namespace

base::Result<> MemoryContents::check_epoch(const session::SessionKey& key, session::Epoch epoch) const {
  const auto at = records_.find(key);
  if (at == records_.end() || at->second.epoch <= epoch) return {};
  return base::fail(base::Errc::kUnavailable, "session store: the session has a newer owner");
}

void MemoryContents::save(const session::SessionRecord& record, session::Epoch epoch) {
  records_[record.key] = {epoch, true, record};
  newest_epoch_ = std::max(newest_epoch_, epoch);
  newest_number_ = std::max(newest_number_, record.number);
}

void MemoryContents::erase(const session::SessionKey& key, SessionNumber number, session::Epoch epoch) {
  records_[key] = {epoch, false, {}};
  newest_epoch_ = std::max(newest_epoch_, epoch);
  drop(number);
}

void MemoryContents::apply(const StoreOperation& operation) {
  const bool is_append = operation.kind == StoreOperation::Kind::kAppend;
  const SessionNumber number = is_append ? operation.item->session : operation.session;
  Queue* const queue = queue_to_write(number);
  if (queue == nullptr) return;
  switch (operation.kind) {
    case StoreOperation::Kind::kAppend: {
      const session::QueueItem& item = *operation.item;
      queue->messages[item.sequence] = {item.sequence,         item.message,        item.qos, item.retain, false,
                                        item.subscription_ids, item.expires_at_ms()};
      break;
    }
    case StoreOperation::Kind::kRelease:
      queue->messages[operation.sequence] = {operation.sequence, released_message(), 2, false, true, {}};
      break;
    case StoreOperation::Kind::kRemove:
      queue->messages.erase(operation.sequence);
      break;
    case StoreOperation::Kind::kPutReceived:
      queue->received.insert(static_cast<std::uint16_t>(operation.sequence));
      break;
    case StoreOperation::Kind::kEraseReceived:
      queue->received.erase(static_cast<std::uint16_t>(operation.sequence));
      break;
  }
  forget_if_empty(number);
}

void MemoryContents::drop(SessionNumber number) {
  if (number == 0) return;
  queues_.erase(number);
  dropped_.insert(number);
  newest_number_ = std::max(newest_number_, number);
}

void MemoryContents::save_retained(const mqtt::MessageRef& message, bool removed) {
  const std::string topic(message->topic());
  if (removed) {
    retained_.erase(topic);
  } else {
    retained_[topic] = message;
  }
}

void MemoryContents::remove_expired(SessionNumber number, base::WallMs now_ms) {
  const auto at = queues_.find(number);
  if (at == queues_.end()) return;
  std::erase_if(at->second.messages, [now_ms](const auto& entry) { return is_expired(entry.second, now_ms); });
  forget_if_empty(number);
}

session::SessionStore::Page MemoryContents::read(SessionNumber number, std::uint64_t from_sequence,
                                                 std::size_t max_messages, std::size_t max_bytes) const {
  session::SessionStore::Page page;
  const auto at = queues_.find(number);
  if (at == queues_.end()) return page;
  std::size_t bytes = 0;
  for (auto next = at->second.messages.lower_bound(from_sequence); next != at->second.messages.end(); ++next) {
    bytes += next->second.message->memory_bytes();
    if (page.messages.size() >= max_messages || (bytes > max_bytes && !page.messages.empty())) {
      page.at_end = false;
      break;
    }
    page.messages.push_back(next->second);
  }
  return page;
}

session::QueueSize MemoryContents::measure(SessionNumber number) const {
  session::QueueSize size;
  const auto at = queues_.find(number);
  if (at == queues_.end()) return size;
  for (const auto& [sequence, stored] : at->second.messages) {
    size.messages += 1;
    size.bytes += stored.message->memory_bytes();
    size.last_sequence = sequence;
  }
  return size;
}

MemoryContents::Queue* MemoryContents::queue_to_write(SessionNumber number) {
  if (dropped_.contains(number)) return nullptr;
  newest_number_ = std::max(newest_number_, number);
  return &queues_[number];
}

void MemoryContents::forget_if_empty(SessionNumber number) {
  const auto at = queues_.find(number);
  if (at != queues_.end() && at->second.messages.empty() && at->second.received.empty()) queues_.erase(at);
}

}  // namespace mooring::storage
