#include "storage/commit_queue.h"

#include <algorithm>
#include <utility>

namespace mooring::storage {
namespace {

template <class T>
constexpr bool is_kind(const Operation& operation) {
  return std::holds_alternative<T>(operation);
}

bool is_read(const Operation& operation) {
  return is_kind<std::unique_ptr<ReadOperation>>(operation);
}
bool is_lazy(const Operation& operation) {
  return is_kind<RemoveOperation>(operation) || is_kind<DropOperation>(operation);
}

session::SessionNumber number_of(const session::StoreOperation& part) {
  return part.kind == session::StoreOperation::Kind::kAppend ? part.item->session : part.session;
}

}  // namespace

bool CommitQueue::push(Operation& operation) {
  const std::lock_guard lock(mutex_);
  const std::size_t bytes = cost_of(operation);
  if (!has_room_for(operation, bytes)) return false;
  items_ += 1;
  if (is_read(operation) && !must_wait(operation)) {
    reads_.push_back(std::move(std::get<std::unique_ptr<ReadOperation>>(operation)));
    read_ready_.notify_one();
    return true;
  }
  count_pending(operation, 1);
  const Urgency urgency = urgency_of(operation);
  bytes_ += bytes;
  entries_bytes_ += bytes;
  entries_.push_back({std::move(operation), bytes});
  make_due(urgency);
  return true;
}

std::optional<CommitQueue::Group> CommitQueue::take_group(bool has_other_work) {
  std::unique_lock lock(mutex_);
  committer_waits_ = true;
  while (!has_other_work && !closed_ && Clock::now() < due_) {
    if (due_ == Clock::time_point::max()) {
      group_due_.wait(lock);
    } else {
      group_due_.wait_until(lock, due_);
    }
  }
  committer_waits_ = false;
  if (entries_.empty() && closed_) {
    committer_done_ = true;
    read_ready_.notify_all();
    return std::nullopt;
  }
  if (!closed_ && Clock::now() < due_) return Group();
  return take_from_front();
}

CommitQueue::Group CommitQueue::take_from_front() {
  Group group;
  group.operations.reserve(std::min(entries_.size(), kMaxGroupItems));
  while (!entries_.empty() && group.operations.size() < kMaxGroupItems && group.bytes < kMaxGroupBytes) {
    group.bytes += entries_.front().bytes;
    group.operations.push_back(std::move(entries_.front().operation));
    entries_.pop_front();
  }
  entries_bytes_ -= group.bytes;
  // What is left has waited long enough.
  due_ = entries_.empty() ? Clock::time_point::max() : Clock::time_point::min();
  window_runs_ = !entries_.empty();
  if (entries_.empty()) last_message_ = {};
  return group;
}

void CommitQueue::settle(Group&& group) {
  const std::lock_guard lock(mutex_);
  bytes_ -= group.bytes;
  for (Operation& operation : group.operations) {
    count_pending(operation, ~std::uint32_t{0});
    if (!is_read(operation)) {
      items_ -= 1;
      continue;
    }
    reads_.push_back(std::move(std::get<std::unique_ptr<ReadOperation>>(operation)));
    read_ready_.notify_one();
  }
}

std::unique_ptr<ReadOperation> CommitQueue::take_read() {
  std::unique_lock lock(mutex_);
  read_ready_.wait(lock, [this] { return !reads_.empty() || committer_done_; });
  if (reads_.empty()) return nullptr;
  auto read = std::move(reads_.front());
  reads_.pop_front();
  return read;
}

void CommitQueue::read_done() {
  const std::lock_guard lock(mutex_);
  items_ -= 1;
}

void CommitQueue::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  group_due_.notify_all();
}

std::size_t CommitQueue::size() const {
  const std::lock_guard lock(mutex_);
  return items_;
}

CommitQueue::Urgency CommitQueue::urgency_of(const Operation& operation) {
  if (is_lazy(operation)) return Urgency::kLazy;
  const bool is_window = is_kind<AppendOperation>(operation) || is_kind<std::unique_ptr<RetainedOperation>>(operation);
  return is_window ? Urgency::kWindow : Urgency::kNow;
}

std::size_t CommitQueue::cost_of(const Operation& operation) {
  if (const auto* append = std::get_if<AppendOperation>(&operation)) {
    return sizeof(Entry) + sizeof(session::QueueItem) + message_cost(append->item->message);
  }
  if (const auto* record = std::get_if<std::unique_ptr<RecordOperation>>(&operation)) {
    return sizeof(Entry) + sizeof(RecordOperation) + (*record)->key.size() +
           ((*record)->value ? (*record)->value->size() : 0);
  }
  if (const auto* retained = std::get_if<std::unique_ptr<RetainedOperation>>(&operation)) {
    return sizeof(Entry) + sizeof(RetainedOperation) + (*retained)->message->memory_bytes();
  }
  if (const auto* write = std::get_if<std::unique_ptr<WriteOperation>>(&operation)) {
    std::size_t bytes = sizeof(Entry) + sizeof(WriteOperation);
    for (const session::StoreOperation& part : (*write)->parts) {
      bytes += sizeof part + (part.item ? sizeof(session::QueueItem) + message_cost(part.item->message) : 0);
    }
    return bytes;
  }
  return sizeof(Entry);
}

std::size_t CommitQueue::message_cost(const mqtt::MessageRef& message) {
  if (last_message_ && &*last_message_ == &*message) return 0;
  last_message_ = message;
  return message->memory_bytes();
}

bool CommitQueue::has_room_for(const Operation& operation, std::size_t bytes) const {
  if (is_lazy(operation)) return true;
  return items_ < bounds_.items && bytes_ + bytes <= bounds_.bytes;
}

bool CommitQueue::must_wait(const Operation& read) {
  return pending_of(std::get<std::unique_ptr<ReadOperation>>(read)->number) != 0;
}

std::uint32_t& CommitQueue::pending_of(session::SessionNumber number) {
  return pending_[(number * 0x9E37'79B9'7F4A'7C15ULL) >> 52];
}

void CommitQueue::count_pending(const Operation& operation, std::uint32_t by) {
  if (const auto* append = std::get_if<AppendOperation>(&operation)) {
    pending_of(append->item->session) += by;
  } else if (const auto* remove = std::get_if<RemoveOperation>(&operation)) {
    pending_of(remove->number) += by;
  } else if (const auto* drop = std::get_if<DropOperation>(&operation)) {
    pending_of(drop->number) += by;
  } else if (const auto* record = std::get_if<std::unique_ptr<RecordOperation>>(&operation)) {
    pending_of((*record)->number) += by;
  } else if (const auto* write = std::get_if<std::unique_ptr<WriteOperation>>(&operation)) {
    for (const session::StoreOperation& part : (*write)->parts) pending_of(number_of(part)) += by;
  } else if (const auto* read = std::get_if<std::unique_ptr<ReadOperation>>(&operation)) {
    pending_of((*read)->number) += by;  // so that reads of one session stay in order
  }
}

void CommitQueue::make_due(Urgency urgency) {
  const bool is_full = entries_.size() >= kMaxGroupItems || entries_bytes_ >= kMaxGroupBytes;
  const auto before = due_;
  if (urgency == Urgency::kNow || is_full) {
    due_ = Clock::time_point::min();
    window_runs_ = true;
  } else if (urgency == Urgency::kWindow && !window_runs_) {
    due_ = std::min(due_, Clock::now() + bounds_.window);
    window_runs_ = true;
  } else if (urgency == Urgency::kLazy && due_ == Clock::time_point::max()) {
    due_ = Clock::now() + kLazy;
  }
  if (committer_waits_ && due_ < before) group_due_.notify_one();
}

}  // namespace mooring::storage
