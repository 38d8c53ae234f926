#include "storage/memory_session_store.h"

#include <algorithm>
#include <deque>
#include <mutex>
#include <utility>
#include <vector>

#include "storage/memory_contents.h"
#include "storage/replies.h"

namespace mooring::storage {
namespace {

using session::SessionNumber;
using session::StoreOperation;
using Apply = base::UniqueFunction<void(MemoryContents&)>;

// One call that waits to be committed. A read has `read`; an append has `item` and `listener`; everything else `apply`.
struct Waiting {
  base::Executor* reply_to = nullptr;  // null: nobody waits for it
  base::UniqueFunction<base::Result<>(const MemoryContents&)> check;
  Apply apply;
  session::SessionStore::Done done;
  session::QueueItemRef item;
  session::AppendListener* listener = nullptr;
  base::UniqueFunction<base::Task(const MemoryContents&)> read;  // gives the reply
  SessionNumber expire_first = 0;                                // of a read: the queue to clear of expired messages
};

StoreOperation append_of(session::QueueItemRef item) {
  return {StoreOperation::Kind::kAppend, item->session, item->sequence, item};
}

}  // namespace

class MemorySessionStore::Impl : public std::enable_shared_from_this<MemorySessionStore::Impl> {
 public:
  explicit Impl(const MemorySessionStoreOptions& options) : options_(options) {}

  void submit(Waiting waiting) {
    const std::lock_guard lock(mutex_);
    base::Executor* const executor = waiting.reply_to;
    waiting_.push_back(std::move(waiting));
    if (options_.manual_commits || executor == nullptr) return;
    if (std::find(asked_.begin(), asked_.end(), executor) != asked_.end()) return;
    asked_.push_back(executor);
    executor->post([self = shared_from_this(), generation = generation_] { self->commit_if(generation); });
  }

  bool commit() {
    const std::lock_guard lock(mutex_);
    return commit_locked();
  }

  void crash() {
    std::vector<Waiting> forgotten;  // outlives the lock: what callbacks hold may call the store when it goes
    const std::lock_guard lock(mutex_);
    generation_ += 1;
    forgotten.swap(waiting_);
    asked_.clear();
    journal_.clear();
    open_replies_.clear();
    now_ = durable_;
  }

  void fail_writes(bool failing) {
    const std::lock_guard lock(mutex_);
    failing_ = failing;
  }

  // What is there after everything given so far.
  template <class Look>
  auto look(Look&& look_at) {
    const std::lock_guard lock(mutex_);
    return look_at(std::as_const(now_));
  }
  MemoryContents copy_of_all() {
    const std::lock_guard lock(mutex_);
    commit_locked();
    return now_;
  }
  std::size_t waiting() const {
    const std::lock_guard lock(mutex_);
    return waiting_.size();
  }
  base::WallMs now_ms() const { return options_.clock->wall_ms(); }

 private:
  struct Journalled {
    std::uint64_t group = 0;
    Apply apply;
  };

  void commit_if(std::uint64_t generation) {
    const std::lock_guard lock(mutex_);
    if (generation == generation_) commit_locked();
  }

  bool commit_locked() {
    asked_.clear();
    if (open_replies_.empty()) make_durable(group_);
    if (waiting_.empty()) return false;
    group_ += 1;
    Replies replies;
    std::vector<Waiting> group = std::exchange(waiting_, {});
    for (Waiting& waiting : group) {
      if (waiting.read) {
        answer_read(waiting, replies);
      } else if (waiting.item) {
        commit_append(waiting, replies);
      } else {
        commit_write(waiting, replies);
      }
    }
    if (replies.empty()) return true;
    open_replies_.push_back(group_);
    replies.post([self = shared_from_this(), generation = generation_, group_number = group_] {
      return self->begin_reply(generation, group_number);
    });
    return true;
  }

  void answer_read(Waiting& waiting, Replies& replies) {
    change([number = waiting.expire_first, now = now_ms()](MemoryContents& contents) {
      contents.remove_expired(number, now);
    });
    replies.task(*waiting.reply_to, waiting.read(now_));
  }

  void commit_append(Waiting& waiting, Replies& replies) {
    if (!waiting.item->take()) return;
    if (failing_) {
      replies.append_failed(*waiting.reply_to, *waiting.listener, std::move(waiting.item), failure());
      return;
    }
    change([operation = append_of(waiting.item)](MemoryContents& contents) { contents.apply(operation); });
    replies.appended(*waiting.reply_to, *waiting.listener, std::move(waiting.item));
  }

  void commit_write(Waiting& waiting, Replies& replies) {
    base::Result<> verdict;
    if (failing_) {
      verdict = tl::unexpected(failure());
    } else if (waiting.check) {
      verdict = waiting.check(now_);
    }
    if (verdict) change(std::move(waiting.apply));
    if (waiting.reply_to != nullptr) replies.done(*waiting.reply_to, std::move(waiting.done), std::move(verdict));
  }

  void change(Apply apply) {
    apply(now_);
    journal_.push_back({group_, std::move(apply)});
  }

  // On the executor of a reply, right before it is given. From here on its group survives a crash.
  bool begin_reply(std::uint64_t generation, std::uint64_t group) {
    const std::lock_guard lock(mutex_);
    if (generation != generation_) return false;
    make_durable(group);
    std::erase_if(open_replies_, [group](std::uint64_t open) { return open <= group; });
    return true;
  }

  void make_durable(std::uint64_t group) {
    while (!journal_.empty() && journal_.front().group <= group) {
      journal_.front().apply(durable_);
      journal_.pop_front();
    }
  }

  static base::Error failure() { return {base::Errc::kIo, "session store: writes are switched off"}; }

  const MemorySessionStoreOptions options_;
  mutable std::mutex mutex_;  // guards what follows
  std::vector<Waiting> waiting_;
  std::vector<base::Executor*> asked_;       // these have a task that will commit
  MemoryContents now_;                       // what reads see
  MemoryContents durable_;                   // what a crash leaves
  std::deque<Journalled> journal_;           // leads from durable_ to now_
  std::vector<std::uint64_t> open_replies_;  // groups of which no reply has been given
  std::uint64_t group_ = 0;
  std::uint64_t generation_ = 0;  // grows with each crash
  bool failing_ = false;
};

MemorySessionStore::MemorySessionStore(const MemorySessionStoreOptions& options)
    : impl_(std::make_shared<Impl>(options)) {}
MemorySessionStore::~MemorySessionStore() {
  impl_->commit();
}

base::Result<> MemorySessionStore::for_each_session(
    const std::function<void(session::SessionRecord&&, session::Epoch)>& each) {
  const MemoryContents contents = impl_->copy_of_all();
  for (const auto& [key, entry] : contents.records()) {
    if (entry.present) each(session::SessionRecord(entry.record), entry.epoch);
  }
  return {};
}

base::Result<> MemorySessionStore::for_each_received(
    const std::function<void(SessionNumber, std::uint16_t packet_id)>& each) {
  const MemoryContents contents = impl_->copy_of_all();
  for (const auto& [number, queue] : contents.queues()) {
    for (const std::uint16_t packet_id : queue.received) each(number, packet_id);
  }
  return {};
}

base::Result<> MemorySessionStore::for_each_retained(const std::function<void(const mqtt::MessageRef&)>& each) {
  const MemoryContents contents = impl_->copy_of_all();
  const base::WallMs now_ms = impl_->now_ms();
  for (const auto& [topic, message] : contents.retained()) {
    if (message->expires_at_ms() == 0 || message->expires_at_ms() > now_ms) each(message);
  }
  return {};
}

void MemorySessionStore::save(session::SessionRecord record, session::Epoch epoch, base::Executor& reply_to,
                              Done done) {
  Waiting waiting;
  waiting.reply_to = &reply_to;
  waiting.done = std::move(done);
  waiting.check = [key = record.key, epoch](const MemoryContents& contents) {
    return contents.check_epoch(key, epoch);
  };
  waiting.apply = [what = std::move(record), epoch](MemoryContents& contents) { contents.save(what, epoch); };
  impl_->submit(std::move(waiting));
}

void MemorySessionStore::erase(session::SessionKey key, SessionNumber number, session::Epoch epoch,
                               base::Executor& reply_to, Done done) {
  Waiting waiting;
  waiting.reply_to = &reply_to;
  waiting.done = std::move(done);
  waiting.check = [key, epoch](const MemoryContents& contents) { return contents.check_epoch(key, epoch); };
  waiting.apply = [what = std::move(key), number, epoch](MemoryContents& contents) {
    contents.erase(what, number, epoch);
  };
  impl_->submit(std::move(waiting));
}

void MemorySessionStore::append(session::QueueItemRef item, base::Executor& reply_to,
                                session::AppendListener& listener) {
  Waiting waiting;
  waiting.reply_to = &reply_to;
  waiting.listener = &listener;
  waiting.item = std::move(item);
  impl_->submit(std::move(waiting));
}

void MemorySessionStore::write(std::vector<StoreOperation> operations, base::Executor& reply_to, Done done) {
  Waiting waiting;
  waiting.reply_to = &reply_to;
  waiting.done = std::move(done);
  // The items are taken once, when it is known that the write goes ahead.
  waiting.apply = [what = std::move(operations), is_first = true](MemoryContents& contents) mutable {
    if (std::exchange(is_first, false)) {
      std::erase_if(what, [](const StoreOperation& operation) {
        return operation.kind == StoreOperation::Kind::kAppend && !operation.item->take();
      });
    }
    for (const StoreOperation& operation : what) contents.apply(operation);
  };
  impl_->submit(std::move(waiting));
}

void MemorySessionStore::remove(SessionNumber session, std::uint64_t sequence) {
  Waiting waiting;
  waiting.apply = [operation = StoreOperation{StoreOperation::Kind::kRemove, session, sequence, nullptr}](
                      MemoryContents& contents) { contents.apply(operation); };
  impl_->submit(std::move(waiting));
}

void MemorySessionStore::drop_queue(SessionNumber session) {
  Waiting waiting;
  waiting.apply = [session](MemoryContents& contents) { contents.drop(session); };
  impl_->submit(std::move(waiting));
}

void MemorySessionStore::read(SessionNumber session, std::uint64_t from_sequence, std::size_t max_messages,
                              std::size_t max_bytes, base::Executor& reply_to,
                              session::Callback<base::Result<Page>> done) {
  Waiting waiting;
  waiting.reply_to = &reply_to;
  waiting.expire_first = session;
  waiting.read = [=, call = std::move(done)](const MemoryContents& contents) mutable -> base::Task {
    return [answer = std::move(call), page = contents.read(session, from_sequence, max_messages, max_bytes)]() mutable {
      answer(std::move(page));
    };
  };
  impl_->submit(std::move(waiting));
}

void MemorySessionStore::measure(SessionNumber session, base::Executor& reply_to,
                                 session::Callback<base::Result<session::QueueSize>> done) {
  Waiting waiting;
  waiting.reply_to = &reply_to;
  waiting.expire_first = session;
  waiting.read = [session, call = std::move(done)](const MemoryContents& contents) mutable -> base::Task {
    return [answer = std::move(call), size = contents.measure(session)]() mutable { answer(size); };
  };
  impl_->submit(std::move(waiting));
}

void MemorySessionStore::save_retained(const mqtt::MessageRef& message, bool removed, base::Executor& reply_to,
                                       Done done) {
  Waiting waiting;
  waiting.reply_to = &reply_to;
  waiting.done = std::move(done);
  waiting.apply = [message, removed](MemoryContents& contents) { contents.save_retained(message, removed); };
  impl_->submit(std::move(waiting));
}

bool MemorySessionStore::commit() {
  return impl_->commit();
}
void MemorySessionStore::crash() {
  impl_->crash();
}
void MemorySessionStore::fail_writes(bool failing) {
  impl_->fail_writes(failing);
}

session::Epoch MemorySessionStore::newest_epoch() const {
  return impl_->look([](const MemoryContents& contents) { return contents.newest_epoch(); });
}
SessionNumber MemorySessionStore::newest_number() const {
  return impl_->look([](const MemoryContents& contents) { return contents.newest_number(); });
}

std::size_t MemorySessionStore::size() const {
  return impl_->look([](const MemoryContents& contents) {
    return static_cast<std::size_t>(std::count_if(contents.records().begin(), contents.records().end(),
                                                  [](const auto& entry) { return entry.second.present; }));
  });
}
std::size_t MemorySessionStore::queued_messages() const {
  return impl_->look([](const MemoryContents& contents) {
    std::size_t count = 0;
    for (const auto& [number, queue] : contents.queues()) count += queue.messages.size();
    return count;
  });
}
std::size_t MemorySessionStore::waiting() const {
  return impl_->waiting();
}

}  // namespace mooring::storage
