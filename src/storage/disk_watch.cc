#include "storage/disk_watch.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/log.h"
#include "base/threads.h"

namespace mooring::storage {

DiskWatch::DiskWatch(RocksDatabase& database, std::filesystem::path folder, const Limits& limits)
    : database_(database), folder_(std::move(folder)), limits_(limits) {
  note(look());
  thread_ = std::thread([this] {
    base::name_thread("disk watch");
    run();
  });
}

DiskWatch::~DiskWatch() {
  database_.end_compaction();
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  ends_.notify_one();
  thread_.join();
}

std::optional<base::Error> DiskWatch::refusal() const {
  switch (state_.load(std::memory_order_relaxed)) {
    case State::kRoom:
      return std::nullopt;
    case State::kDiskFull:
      return base::Error{base::Errc::kIo, "session store: the disk is almost full"};
    case State::kQueuesFull:
      break;
  }
  return base::Error{base::Errc::kUnavailable, "session store: the queues hold as much as they may"};
}

void DiskWatch::run() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      ends_.wait_for(lock, std::chrono::seconds(1), [this] { return ending_; });
      if (ending_) return;
    }
    const State state = look();
    note(state);
    if (state == State::kQueuesFull) make_room();
  }
}

DiskWatch::State DiskWatch::look() {
  struct statvfs file_system {};
  const bool known = ::statvfs(folder_.c_str(), &file_system) == 0;
  const std::uint64_t free_bytes = std::uint64_t{file_system.f_bavail} * file_system.f_frsize;
  const std::uint64_t queue_bytes = database_.queue_bytes();
  free_bytes_.store(free_bytes, std::memory_order_relaxed);
  queue_bytes_.store(queue_bytes, std::memory_order_relaxed);
  if (limits_.min_free_bytes > 0 && known && free_bytes < limits_.min_free_bytes) return State::kDiskFull;
  if (limits_.max_queue_bytes > 0 && queue_bytes > limits_.max_queue_bytes) return State::kQueuesFull;
  return State::kRoom;
}

void DiskWatch::note(State state) {
  const State before = state_.exchange(state, std::memory_order_relaxed);
  if (state == before) return;
  if (state == State::kRoom) {
    pause_ms_ = kFirstPauseMs;
    base::log_info("storage", "session store: there is room for stored messages again");
  } else {
    base::log_error("storage", "stored messages are refused: {}", refusal()->message);
  }
}

void DiskWatch::make_room() {
  const base::MonoMs now_ms = base::system_clock().mono_ms();
  const std::uint64_t removals = database_.removals();
  if (now_ms < next_compaction_ms_ || removals == removals_) return;
  removals_ = removals;
  database_.compact_queues();
  next_compaction_ms_ = base::system_clock().mono_ms() + pause_ms_;
  pause_ms_ = std::min(2 * pause_ms_, kLongestPauseMs);
}

}  // namespace mooring::storage
