// CommitQueue: what waits for the committer and for the reader, within bounds, and when a group is due.
//
// Thread-safe. One committer calls take_group() and then settle(); one reader calls take_read(). A read of a session
// that has writes waiting goes through the committer's queue, behind them, and to the reader when they are settled; any
// other goes to the reader at once.
//
// A group is due at once when it holds something whose caller waits, when it is full, or when the queue is closed;
// after the commit window when it holds appends and retained messages only; after kLazyMs when nobody waits for any of
// it.
#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "storage/operation.h"

namespace mooring::storage {

class CommitQueue {
 public:
  static constexpr std::size_t kMaxGroupItems = 512;
  static constexpr std::size_t kMaxGroupBytes = 4U << 20;
  static constexpr std::chrono::milliseconds kLazy{100};

  struct Bounds {
    std::size_t items = 0;
    std::size_t bytes = 0;  // a message that many sessions get in a row counts once
    std::chrono::microseconds window{0};
  };
  struct Group {
    std::vector<Operation> operations;
    std::size_t bytes = 0;
  };

  explicit CommitQueue(const Bounds& bounds) : bounds_(bounds) {}

  // False: it is full, and the operation is left as it was. Removals and drops are accepted beyond the bounds, because
  // they are small and make room.
  bool push(Operation& operation);

  // Waits until a group is due. Nothing: closed and empty. With `has_other_work` it waits not at all, and the group may
  // be empty.
  std::optional<Group> take_group(bool has_other_work);
  // The group has been written, or not: its reads go to the reader, and reads of its sessions need not wait any more.
  void settle(Group&& group);

  // Waits for a read. Null: closed, and there will be none.
  std::unique_ptr<ReadOperation> take_read();
  void read_done();

  void close();              // no push() from now on
  std::size_t size() const;  // operations not yet settled or read

 private:
  using Clock = std::chrono::steady_clock;
  enum class Urgency : std::uint8_t { kNow, kWindow, kLazy };
  struct Entry {
    Operation operation;
    std::size_t bytes = 0;
  };
  static constexpr std::size_t kPendingSlots = 4096;

  static Urgency urgency_of(const Operation& operation);
  std::size_t cost_of(const Operation& operation);
  std::size_t message_cost(const mqtt::MessageRef& message);
  bool has_room_for(const Operation& operation, std::size_t bytes) const;
  std::uint32_t& pending_of(session::SessionNumber number);
  void count_pending(const Operation& operation, std::uint32_t by);
  bool must_wait(const Operation& read);
  void make_due(Urgency urgency);
  Group take_from_front();

  const Bounds bounds_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable group_due_;
  std::condition_variable read_ready_;
  std::deque<Entry> entries_;
  std::size_t entries_bytes_ = 0;
  std::deque<std::unique_ptr<ReadOperation>> reads_;
  Clock::time_point due_ = Clock::time_point::max();
  bool window_runs_ = false;  // due_ is not later than the commit window wants
  bool committer_waits_ = false;
  mqtt::MessageRef last_message_;  // of the last append
  std::size_t items_ = 0;          // not settled or read
  std::size_t bytes_ = 0;          // of entries and of the group under way
  bool closed_ = false;
  bool committer_done_ = false;
  // Unsettled writes by session: numbers that share a slot only make a read wait that need not.
  std::array<std::uint32_t, kPendingSlots> pending_{};
};

}  // namespace mooring::storage
