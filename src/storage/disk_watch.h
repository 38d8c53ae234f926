// DiskWatch: looks once a second whether there is room for more stored messages, so that a disk that fills up stops new
// messages early and leaves room for everything else: for session records, and for removing.
//
// refusal() from any thread, costs an atomic read as long as there is room. Has a thread of its own, because the file
// system may take its time to answer, and because giving room back takes some. Logs when refusing begins and ends.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "base/result.h"
#include "storage/rocks_database.h"

namespace mooring::storage {

class DiskWatch {
 public:
  struct Limits {
    std::uint64_t max_queue_bytes = 0;  // 0: no limit
    std::uint64_t min_free_bytes = 0;   // of the file system; 0: not looked at
  };

  DiskWatch(RocksDatabase& database, std::filesystem::path folder, const Limits& limits);  // looks once
  DiskWatch(const DiskWatch&) = delete;
  DiskWatch& operator=(const DiskWatch&) = delete;
  ~DiskWatch();

  // Why no more messages can be stored at present: kIo when the disk is almost full, kUnavailable when the queues hold
  // as much as they may.
  std::optional<base::Error> refusal() const;

  // As last looked. Any thread.
  std::uint64_t queue_bytes() const { return queue_bytes_.load(std::memory_order_relaxed); }
  std::uint64_t free_bytes() const { return free_bytes_.load(std::memory_order_relaxed); }

 private:
  enum class State : std::uint8_t { kRoom, kDiskFull, kQueuesFull };
  static constexpr base::MonoMs kFirstPauseMs = 5000;
  static constexpr base::MonoMs kLongestPauseMs = 64 * kFirstPauseMs;

  void run();
  State look();
  void note(State state);
  void make_room();

  RocksDatabase& database_;
  const std::filesystem::path folder_;
  const Limits limits_;
  std::atomic<State> state_{State::kRoom};
  std::atomic<std::uint64_t> queue_bytes_{0};
  std::atomic<std::uint64_t> free_bytes_{0};
  // Of the thread. Rewriting files costs: only after something was removed, and later each time that it has not helped.
  std::uint64_t removals_ = 0;  // when it was last done
  base::MonoMs next_compaction_ms_ = 0;
  base::MonoMs pause_ms_ = kFirstPauseMs;

  std::mutex mutex_;
  std::condition_variable ends_;
  bool ending_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace mooring::storage
