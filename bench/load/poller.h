// Poller: the load generator's own event loop over epoll, edge-triggered. It is not net::Loop, so that a fault or a
// cost of the server's loop does not also sit in the instrument that measures it.
//
// A turn: wait() dispatches what is ready; the owner does its own work; end_turn() calls everyone who asked for it,
// which is where connections write. One thread. What is watched must outlive the poller's turn.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "net/unique_fd.h"

namespace mooring::bench {

std::int64_t now_ns();  // of a clock that never goes back

class Pollable {
 public:
  virtual void on_ready(std::uint32_t epoll_events) = 0;
  virtual void on_turn_end() = 0;
  virtual ~Pollable() = default;

 private:
  friend class Poller;
  bool wants_turn_end_ = false;
};

class Poller {
 public:
  static base::Result<std::unique_ptr<Poller>> create();

  base::Result<> watch(int fd, Pollable& pollable);  // until the descriptor is closed
  void call_at_turn_end(Pollable& pollable) {
    if (pollable.wants_turn_end_) return;
    pollable.wants_turn_end_ = true;
    turn_end_.push_back(&pollable);
  }

  void wait(std::int64_t until_ns);  // returns at once when something is ready
  void end_turn();

  // The time of the last refresh(): after wait(), and after each read from a socket.
  std::int64_t now() const { return now_ns_; }
  void refresh() { now_ns_ = now_ns(); }
  // Shared scratch for reading, valid until the handler returns.
  base::MutableBytes read_buffer() { return read_buffer_; }

 private:
  static constexpr std::size_t kEventsPerTurn = 256;
  static constexpr std::size_t kReadBytes = 128 * 1024;

  Poller() : read_buffer_(kReadBytes) {}

  net::UniqueFd epoll_;
  std::int64_t now_ns_ = bench::now_ns();
  base::Bytes read_buffer_;
  std::vector<Pollable*> turn_end_;
  std::vector<Pollable*> ending_;
};

}  // namespace mooring::bench
