#include "storage/rocks_session_store.h"

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/log.h"
#include "storage/group_writer.h"
#include "storage/record_codec.h"
#include "storage/rocks_database.h"

namespace mooring::storage {
namespace {

using base::Errc;
using session::Epoch;
using session::SessionKey;
using session::SessionRecord;
using Loaded = base::Result<std::optional<SessionRecord>>;

// A load or a write, waiting. One of the callbacks is set.
struct Request {
  RecordWrite write;  // of a load: only the key
  base::Executor* reply_to = nullptr;
  session::Callback<Loaded> loaded;
  session::Callback<base::Result<>> written;
  std::size_t cost_bytes = 0;

  bool is_load() const { return static_cast<bool>(loaded); }
};

// Collects what has to be said, and says it in one task for each executor.
class Replies {
 public:
  template <class Done, class Value>
  void add(base::Executor& to, Done done, Value value) {
    tasks_of(to).push_back([call = std::move(done), what = std::move(value)]() mutable { call(std::move(what)); });
  }
  void fail(Request& request, tl::unexpected<base::Error> error) {
    if (request.is_load()) {
      add(*request.reply_to, std::move(request.loaded), Loaded(std::move(error)));
    } else {
      add(*request.reply_to, std::move(request.written), base::Result<>(std::move(error)));
    }
  }
  void post() {
    for (auto& [executor, tasks] : all_) {
      executor->post([list = std::move(tasks)]() mutable {
        for (base::Task& task : list) task();
      });
    }
    all_.clear();
  }

 private:
  std::vector<base::Task>& tasks_of(base::Executor& executor) {
    for (auto& [known, tasks] : all_) {
      if (known == &executor) return tasks;
    }
    return all_.emplace_back(&executor, std::vector<base::Task>()).second;
  }
  std::vector<std::pair<base::Executor*, std::vector<base::Task>>> all_;
};

LogMode log_mode(Durability durability) {
  if (durability == Durability::kDisk) return LogMode::kSync;
  return durability == Durability::kProcess ? LogMode::kNoSync : LogMode::kOff;
}

}  // namespace

class RocksSessionStore::Impl {
 public:
  Impl(const RocksSessionStoreOptions& options, std::unique_ptr<RocksDatabase> database, Epoch newest_epoch)
      : options_(options),
        database_(std::move(database)),
        found_epoch_(newest_epoch),
        writer_(*database_, newest_epoch) {
    committer_ = std::thread([this] { run_committer(); });
    reader_ = std::thread([this] { run_reader(); });
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  ~Impl() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    writes_ready_.notify_one();
    loads_ready_.notify_one();
    committer_.join();
    reader_.join();
  }

  void submit(Request request) {
    const std::string* value = request.write.value ? &*request.write.value : nullptr;
    request.cost_bytes = sizeof(Request) + request.write.key.size() + (value != nullptr ? value->size() : 0);
    {
      const std::lock_guard lock(mutex_);
      if (has_room_for(request)) {
        accept(std::move(request));
        return;
      }
      stats_.refused += 1;
    }
    Replies replies;
    replies.fail(request, base::fail(Errc::kUnavailable, "session store: too much is waiting already"));
    replies.post();
  }

  Epoch newest_epoch() const { return found_epoch_; }

  Stats stats() const {
    const std::lock_guard lock(mutex_);
    Stats stats = stats_;
    stats.queued = queued_items_;
    return stats;
  }

 private:
  bool has_room_for(const Request& request) const {
    return queued_items_ < options_.max_queued_items && queued_bytes_ + request.cost_bytes <= options_.max_queued_bytes;
  }

  // A load goes behind the queued writes of its session, because it must see them; else past all writes.
  void accept(Request request) {
    queued_items_ += 1;
    queued_bytes_ += request.cost_bytes;
    if (request.is_load() && !pending_writes_.contains(request.write.key)) {
      loads_.push_back(std::move(request));
      loads_ready_.notify_one();
      return;
    }
    if (!request.is_load()) pending_writes_[request.write.key] += 1;
    writes_.push_back(std::move(request));
    writes_ready_.notify_one();
  }

  void run_reader() {
    for (;;) {
      std::vector<Request> group;
      {
        std::unique_lock lock(mutex_);
        loads_ready_.wait(lock, [this] { return stopping_ || !loads_.empty(); });
        if (loads_.empty()) return;
        group = take_group(loads_);
      }
      load_group(group);
    }
  }

  void run_committer() {
    for (;;) {
      std::vector<Request> group;
      {
        std::unique_lock lock(mutex_);
        writes_ready_.wait(lock, [this] { return stopping_ || !writes_.empty(); });
        if (writes_.empty()) return;
        group = take_group(writes_);
      }
      if (group.front().is_load()) {
        load_group(group);
      } else {
        write_group(group);
      }
    }
  }

  // From the front, as far as the bounds go and as long as they are all loads or all writes.
  static std::vector<Request> take_group(std::deque<Request>& from) {
    std::vector<Request> group;
    const bool loads = from.front().is_load();
    std::size_t bytes = 0;
    while (!from.empty() && from.front().is_load() == loads && group.size() < kMaxGroupItems &&
           bytes < kMaxGroupBytes) {
      bytes += from.front().cost_bytes;
      group.push_back(std::move(from.front()));
      from.pop_front();
    }
    return group;
  }

  Loaded load(const SessionKey& key) const try {
    const auto value = database_->get(Family::kSession, encode_record_key(key));
    if (!value) return tl::unexpected(value.error());
    if (!value->has_value()) return std::optional<SessionRecord>();
    auto stored = decode_record(key, **value);
    if (!stored) return tl::unexpected(std::move(stored.error()));
    return std::optional(std::move(stored->record));
  } catch (const std::exception& exception) {
    return base::fail(Errc::kInternal, std::string("session store: ") + exception.what());
  }

  void load_group(std::vector<Request>& group) {
    Replies replies;
    std::optional<base::Error> failure;
    std::size_t failed = 0;
    for (Request& request : group) {
      Loaded result = load(request.write.key);
      if (!result) {
        failed += 1;
        failure = result.error();
      }
      replies.add(*request.reply_to, std::move(request.loaded), std::move(result));
    }
    {
      const std::lock_guard lock(mutex_);
      forget(group);
      stats_.loads += group.size() - failed;
      stats_.failed += failed;
      if (failure && reads_healthy_) base::log_error("storage", "reads fail: {}", failure->message);
      if (!failure && !reads_healthy_) base::log_info("storage", "session store: reads succeed again");
      reads_healthy_ = !failure.has_value();
    }
    replies.post();
  }

  void write_group(std::vector<Request>& group) {
    std::vector<RecordWrite> writes;
    writes.reserve(group.size());
    for (Request& request : group) {
      writes.push_back({request.write.key, request.write.epoch, std::move(request.write.value)});
    }
    std::vector<base::Result<>> results = writer_.write(writes);
    {
      const std::lock_guard lock(mutex_);
      forget(group);
      count(results);
    }
    Replies replies;
    for (std::size_t i = 0; i < group.size(); ++i) {
      replies.add(*group[i].reply_to, std::move(group[i].written), std::move(results[i]));
    }
    replies.post();
  }

  // With mutex_ held: these are answered.
  void forget(const std::vector<Request>& group) {
    queued_items_ -= group.size();
    for (const Request& request : group) {
      queued_bytes_ -= request.cost_bytes;
      if (!request.written) continue;  // a load
      const auto pending = pending_writes_.find(request.write.key);
      if (--pending->second == 0) pending_writes_.erase(pending);
    }
  }

  // With mutex_ held.
  void count(const std::vector<base::Result<>>& results) {
    stats_.groups += 1;
    for (const base::Result<>& result : results) {
      if (result) {
        stats_.writes += 1;
      } else {
        (result.error().code == Errc::kUnavailable ? stats_.stale : stats_.failed) += 1;
      }
    }
    stats_.healthy = writer_.healthy();
  }

  const RocksSessionStoreOptions options_;
  const std::unique_ptr<RocksDatabase> database_;
  const Epoch found_epoch_;
  GroupWriter writer_;  // used by the committer only

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable writes_ready_;
  std::condition_variable loads_ready_;
  std::deque<Request> writes_;                                  // with the loads that must see them
  std::deque<Request> loads_;                                   // all others
  std::unordered_map<SessionKey, std::size_t> pending_writes_;  // not yet committed, by session
  std::size_t queued_items_ = 0;                                // of both queues and of the groups under way
  std::size_t queued_bytes_ = 0;
  Stats stats_;
  bool reads_healthy_ = true;
  bool stopping_ = false;

  std::thread committer_;
  std::thread reader_;
};

RocksSessionStore::RocksSessionStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RocksSessionStore::~RocksSessionStore() = default;

base::Result<std::unique_ptr<RocksSessionStore>> RocksSessionStore::open(const RocksSessionStoreOptions& options) try {
  auto database = RocksDatabase::open(options.folder, log_mode(options.durability));
  if (!database) return tl::unexpected(std::move(database.error()));
  const auto newest = GroupWriter::newest_epoch_in(**database);
  if (!newest) return tl::unexpected(newest.error());
  auto impl = std::make_unique<Impl>(options, std::move(*database), *newest);
  return std::unique_ptr<RocksSessionStore>(new RocksSessionStore(std::move(impl)));
} catch (const std::exception& exception) {
  return base::fail(Errc::kInternal, std::string("session store: ") + exception.what());
}

void RocksSessionStore::load(SessionKey key, base::Executor& reply_to, session::Callback<Loaded> done) {
  Request request;
  request.write.key = std::move(key);
  request.reply_to = &reply_to;
  request.loaded = std::move(done);
  impl_->submit(std::move(request));
}

void RocksSessionStore::save(SessionRecord record, Epoch epoch, base::Executor& reply_to,
                             session::Callback<base::Result<>> done) {
  Request request;
  request.write.value = encode_record(record, epoch);
  request.write.key = std::move(record.key);
  request.write.epoch = epoch;
  request.reply_to = &reply_to;
  request.written = std::move(done);
  impl_->submit(std::move(request));
}

void RocksSessionStore::erase(SessionKey key, Epoch epoch, base::Executor& reply_to,
                              session::Callback<base::Result<>> done) {
  Request request;
  request.write.key = std::move(key);
  request.write.epoch = epoch;
  request.reply_to = &reply_to;
  request.written = std::move(done);
  impl_->submit(std::move(request));
}

Epoch RocksSessionStore::newest_epoch() const {
  return impl_->newest_epoch();
}
RocksSessionStore::Stats RocksSessionStore::stats() const {
  return impl_->stats();
}

}  // namespace mooring::storage
