#include "storage/rocks_session_store.h"

#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/threads.h"
#include "storage/commit_queue.h"
#include "storage/disk_watch.h"
#include "storage/dropped_numbers.h"
#include "storage/group_writer.h"
#include "storage/message_codec.h"
#include "storage/queue_reader.h"
#include "storage/record_codec.h"
#include "storage/replies.h"
#include "storage/rocks_database.h"

namespace mooring::storage {
namespace {

using base::Errc;
using session::Epoch;
using session::SessionNumber;

LogMode log_mode(Durability durability) {
  if (durability == Durability::kDisk) return LogMode::kSync;
  return durability == Durability::kProcess ? LogMode::kNoSync : LogMode::kOff;
}

CommitQueue::Bounds bounds_of(const RocksSessionStoreOptions& options) {
  const bool waits = options.durability == Durability::kDisk;
  return {options.max_queued_items, options.max_queued_bytes,
          std::chrono::microseconds(waits ? options.commit_window_us : 0)};
}

// Says that an operation was not accepted. Nothing is said about an item that has been withdrawn by now.
void refuse(Operation& operation) {
  const base::Error error{Errc::kUnavailable, "session store: too much is waiting already"};
  Replies replies;
  if (auto* append = std::get_if<AppendOperation>(&operation)) {
    if (append->item->take()) {
      replies.append_failed(*append->reply_to, *append->listener, std::move(append->item), error);
    }
  } else if (auto* record = std::get_if<std::unique_ptr<RecordOperation>>(&operation)) {
    replies.done(*(*record)->reply_to, std::move((*record)->done), tl::unexpected(error));
  } else if (auto* write = std::get_if<std::unique_ptr<WriteOperation>>(&operation)) {
    replies.done(*(*write)->reply_to, std::move((*write)->done), tl::unexpected(error));
  } else if (auto* retained = std::get_if<std::unique_ptr<RetainedOperation>>(&operation)) {
    replies.done(*(*retained)->reply_to, std::move((*retained)->done), tl::unexpected(error));
  } else if (auto* read = std::get_if<std::unique_ptr<ReadOperation>>(&operation)) {
    replies.task(*(*read)->reply_to, [failed = std::move(*read), error] {
      if (failed->page) failed->page(tl::unexpected(error));
      if (failed->size) failed->size(tl::unexpected(error));
    });
  }
  replies.post();
}

}  // namespace

class RocksSessionStore::Impl {
 public:
  Impl(const RocksSessionStoreOptions& options, std::unique_ptr<RocksDatabase> database,
       const GroupWriter::Start& start)
      : options_(options),
        start_(start),
        database_(std::move(database)),
        disk_(*database_, options.folder, {options.max_total_bytes, options.min_free_bytes}),
        queue_(bounds_of(options)),
        writer_(*database_, dropped_, disk_, start),
        reader_(*database_, dropped_, *options.clock) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    queue_.close();
    if (committer_thread_.joinable()) committer_thread_.join();
    if (reader_thread_.joinable()) reader_thread_.join();
  }

  base::Result<> begin() {
    if (auto found = writer_.find_unfinished_drops(); !found) return found;
    committer_thread_ = std::thread([this] {
      base::name_thread("session commit");
      run_committer();
    });
    reader_thread_ = std::thread([this] {
      base::name_thread("session reads");
      run_reader();
    });
    return {};
  }

  void submit(Operation operation) {
    if (queue_.push(operation)) return;
    {
      const std::lock_guard lock(stats_mutex_);
      stats_.refused += 1;
    }
    refuse(operation);
  }

  const GroupWriter::Start& start() const { return start_; }
  const RocksDatabase& database() const { return *database_; }
  base::WallMs now_ms() const { return options_.clock->wall_ms(); }

  Stats stats() const {
    Stats stats;
    {
      const std::lock_guard lock(stats_mutex_);
      stats = stats_;
    }
    stats.syncs = database_->syncs();
    stats.queued = queue_.size();
    stats.queue_bytes = disk_.queue_bytes();
    stats.disk_free_bytes = disk_.free_bytes();
    return stats;
  }

 private:
  void run_committer() {
    Replies::Backlog backlog;
    while (auto group = queue_.take_group(writer_.has_background_work())) {
      if (!group->operations.empty()) {
        Replies replies;
        writer_.write(group->operations, replies);
        note_counts();
        queue_.settle(std::move(*group));
        replies.post(backlog);
      }
      if (writer_.has_background_work()) writer_.background_step();
    }
  }

  void note_counts() {
    const GroupWriter::Counts& counts = writer_.counts();
    const std::lock_guard lock(stats_mutex_);
    stats_.groups = counts.groups;
    stats_.operations = counts.operations;
    stats_.appended = counts.appended;
    stats_.withdrawn = counts.withdrawn;
    stats_.stale = counts.stale;
    stats_.failed = counts.failed + failed_reads_;
    stats_.commit_us = counts.commit_us;
    stats_.blobs = counts.blobs;
    stats_.healthy = counts.healthy;
  }

  void run_reader() {
    while (auto read = queue_.take_read()) {
      QueueReader::Outcome outcome = answer_of(*read);
      note_read(read->page ? outcome.page.has_value() : outcome.size.has_value(), outcome);
      for (const std::uint64_t sequence : outcome.expired) submit(RemoveOperation{read->number, sequence});
      base::Executor& executor = *read->reply_to;
      queue_.read_done();
      executor.post([done = std::move(read), what = std::move(outcome)]() mutable {
        if (done->page) done->page(std::move(what.page));
        if (done->size) done->size(std::move(what.size));
      });
    }
  }

  QueueReader::Outcome answer_of(const ReadOperation& read) try {
    if (read.size) return reader_.measure(read.number);
    return reader_.read(read.number, read.from_sequence, read.max_messages, read.max_bytes);
  } catch (const std::exception& exception) {
    const auto error = base::fail(Errc::kInternal, std::string("session store: ") + exception.what());
    return {error, error, {}};
  }

  void note_read(bool healthy, const QueueReader::Outcome& outcome) {
    const std::lock_guard lock(stats_mutex_);
    stats_.reads += healthy ? 1 : 0;
    if (!healthy) {
      failed_reads_ += 1;
      stats_.failed += 1;
    }
    if (!healthy && reads_healthy_) {
      const base::Error& error = outcome.page ? outcome.size.error() : outcome.page.error();
      base::log_error("storage", "reads fail: {}", error.message);
    }
    if (healthy && !reads_healthy_) base::log_info("storage", "session store: reads succeed again");
    reads_healthy_ = healthy;
  }

  const RocksSessionStoreOptions options_;
  const GroupWriter::Start start_;
  const std::unique_ptr<RocksDatabase> database_;
  DroppedNumbers dropped_;
  DiskWatch disk_;
  CommitQueue queue_;
  GroupWriter writer_;  // used by the committer only
  QueueReader reader_;  // used by the reader only

  mutable std::mutex stats_mutex_;  // guards what follows
  Stats stats_;
  std::uint64_t failed_reads_ = 0;
  bool reads_healthy_ = true;

  std::thread committer_thread_;
  std::thread reader_thread_;
};

RocksSessionStore::RocksSessionStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RocksSessionStore::~RocksSessionStore() = default;

base::Result<std::unique_ptr<RocksSessionStore>> RocksSessionStore::open(const RocksSessionStoreOptions& options) try {
  auto database = RocksDatabase::open(options.folder, log_mode(options.durability), *options.clock);
  if (!database) return tl::unexpected(std::move(database.error()));
  const auto start = GroupWriter::find_start(**database, *options.clock);
  if (!start) return tl::unexpected(start.error());
  auto impl = std::make_unique<Impl>(options, std::move(*database), *start);
  if (auto begun = impl->begin(); !begun) return tl::unexpected(std::move(begun.error()));
  return std::unique_ptr<RocksSessionStore>(new RocksSessionStore(std::move(impl)));
} catch (const std::exception& exception) {
  return base::fail(Errc::kInternal, std::string("session store: ") + exception.what());
}

base::Result<> RocksSessionStore::for_each_session(const std::function<void(session::SessionRecord&&, Epoch)>& each) {
  std::size_t damaged = 0;
  auto scanned =
      impl_->database().scan(Family::kSession, {{}, {}, true}, [&](std::string_view key, std::string_view value) {
        auto stored = key.size() < 2 ? decode_record({}, {}) : decode_record(key.substr(2), value);
        if (stored) {
          each(std::move(stored->record), stored->epoch);
        } else if (++damaged <= 10) {
          base::log_error("storage", "left out: {}", stored.error().message);
        }
        return true;
      });
  if (damaged > 10) base::log_error("storage", "left out: {} session records in all", damaged);
  return scanned;
}

base::Result<> RocksSessionStore::for_each_received(
    const std::function<void(SessionNumber, std::uint16_t packet_id)>& each) {
  return impl_->database().scan(Family::kReceived, {{}, {}, true}, [&](std::string_view key, auto) {
    each(number_in(key), packet_id_in(key));
    return true;
  });
}

base::Result<> RocksSessionStore::for_each_retained(const std::function<void(const mqtt::MessageRef&)>& each) {
  const base::WallMs now_ms = impl_->now_ms();
  return impl_->database().scan(Family::kRetained, {{}, {}, true}, [&](std::string_view, std::string_view value) {
    if (has_expired(value, now_ms)) return true;
    const auto message = decode_message(value);
    if (message) {
      each(*message);
    } else {
      base::log_error("storage", "left out, retained: {}", message.error().message);
    }
    return true;
  });
}

void RocksSessionStore::save(session::SessionRecord record, Epoch epoch, base::Executor& reply_to, Done done) {
  auto operation = std::make_unique<RecordOperation>();
  operation->value = encode_record(record, epoch);
  operation->key = std::move(record.key);
  operation->number = record.number;
  operation->epoch = epoch;
  operation->reply_to = &reply_to;
  operation->done = std::move(done);
  impl_->submit(std::move(operation));
}

void RocksSessionStore::erase(session::SessionKey key, SessionNumber number, Epoch epoch, base::Executor& reply_to,
                              Done done) {
  auto operation = std::make_unique<RecordOperation>();
  operation->key = std::move(key);
  operation->number = number;
  operation->epoch = epoch;
  operation->reply_to = &reply_to;
  operation->done = std::move(done);
  impl_->submit(std::move(operation));
}

void RocksSessionStore::append(session::QueueItemRef item, base::Executor& reply_to,
                               session::AppendListener& listener) {
  impl_->submit(AppendOperation{std::move(item), &reply_to, &listener});
}

void RocksSessionStore::write(std::vector<session::StoreOperation> operations, base::Executor& reply_to, Done done) {
  auto operation = std::make_unique<WriteOperation>();
  operation->parts = std::move(operations);
  operation->reply_to = &reply_to;
  operation->done = std::move(done);
  impl_->submit(std::move(operation));
}

void RocksSessionStore::remove(SessionNumber session, std::uint64_t sequence) {
  impl_->submit(RemoveOperation{session, sequence});
}

void RocksSessionStore::drop_queue(SessionNumber session) {
  impl_->submit(DropOperation{session});
}

void RocksSessionStore::read(SessionNumber session, std::uint64_t from_sequence, std::size_t max_messages,
                             std::size_t max_bytes, base::Executor& reply_to,
                             session::Callback<base::Result<Page>> done) {
  auto operation = std::make_unique<ReadOperation>();
  operation->number = session;
  operation->from_sequence = from_sequence;
  operation->max_messages = max_messages;
  operation->max_bytes = max_bytes;
  operation->reply_to = &reply_to;
  operation->page = std::move(done);
  impl_->submit(std::move(operation));
}

void RocksSessionStore::measure(SessionNumber session, base::Executor& reply_to,
                                session::Callback<base::Result<session::QueueSize>> done) {
  auto operation = std::make_unique<ReadOperation>();
  operation->number = session;
  operation->reply_to = &reply_to;
  operation->size = std::move(done);
  impl_->submit(std::move(operation));
}

void RocksSessionStore::save_retained(const mqtt::MessageRef& message, bool removed, base::Executor& reply_to,
                                      Done done) {
  auto operation = std::make_unique<RetainedOperation>();
  operation->message = message;
  operation->removed = removed;
  operation->reply_to = &reply_to;
  operation->done = std::move(done);
  impl_->submit(std::move(operation));
}

Epoch RocksSessionStore::newest_epoch() const {
  return impl_->start().newest_epoch;
}
SessionNumber RocksSessionStore::newest_number() const {
  return impl_->start().newest_number;
}
RocksSessionStore::Stats RocksSessionStore::stats() const {
  return impl_->stats();
}

}  // namespace mooring::storage
