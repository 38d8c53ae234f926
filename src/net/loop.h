// Loop: one event loop on one thread, over epoll.
//
// A turn: wait for events; run posted tasks; run what is ready, and tasks posted meanwhile; fire timers; then call
// every LoopClient that asked for the end of the turn (that is where connections write: one flush per connection and
// turn) and destroy what was retired. What another loop posted before it sent bytes to a peer is therefore done before
// anything that the peer sends here in answer: after a SUBACK on one loop a PUBLISH on another finds the subscription.
// Sockets are watched edge-triggered, so writing and pausing cost no system call; a client that stops before
// its socket would block must ask to be called again.
//
// Everything but post() and stop() belongs to the loop's own thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/intrusive_list.h"
#include "base/result.h"
#include "base/unique_function.h"
#include "net/timer_wheel.h"
#include "net/unique_fd.h"
#include "net/write_queue.h"

namespace mooring::net {

struct TurnEndTag;
struct AgainTag;

// Something that lives on a loop and is called by it.
class LoopClient : public base::ListHook<TurnEndTag>, public base::ListHook<AgainTag> {
 public:
  virtual ~LoopClient() = default;
  virtual void on_ready(std::uint32_t epoll_events) = 0;
  virtual void on_turn_end() {}
  virtual void on_again() {}  // in the next turn, after asking with Loop::call_again
};

class Loop final : public base::Executor {
 public:
  static base::Result<std::unique_ptr<Loop>> create(const base::Clock& clock = base::system_clock());
  ~Loop() override;

  void run();   // until stop(); call once
  void stop();  // thread-safe; run() returns after the current turn
  void post(base::Task task) override;

  enum class Watch { kEdge, kLevelRead };
  base::Result<> watch(int fd, LoopClient& client, Watch mode);
  void unwatch(int fd);

  void call_at_turn_end(LoopClient& client);
  void call_first_at_turn_end(LoopClient& client);  // before those that write: for what must not come after their bytes
  void call_again(LoopClient& client);
  // Takes back both wishes, of a client that goes on on another loop.
  static void forget_calls(LoopClient& client);
  // Keeps `client` until the end of the turn, because events of this turn may still point at it.
  void destroy_later(std::unique_ptr<LoopClient> client);

  // `ended` is called behind each turn, with the time that is read for the next one anyway.
  void after_each_turn(base::UniqueFunction<void(base::MonoMs now)> ended) { turn_ended_ = std::move(ended); }

  // After run(): destroys tasks that were posted and not run. Those they post to other loops must still find them.
  void drop_posted();

  // Time that the loop has worked, not waited, since run() began. The loop's thread.
  std::int64_t busy_ms() const { return busy_ms_; }
  // How often the first task of a batch called it, from its waiting or while it worked. The loop's thread.
  std::uint64_t wake_ups() const { return wake_ups_; }
  base::MonoMs now_ms() const { return now_ms_; }  // of this turn: no system call
  // A number from 1 on, for what is rationed by the turn. Turns in which more was ready than is taken at once have one
  // with those that follow, up to 512 events.
  std::uint64_t turn() const { return turn_; }
  const base::Clock& clock() const { return clock_; }
  TimerWheel& timers() { return timers_; }
  BlockPool& blocks() { return blocks_; }
  // Scratch for reading, shared by all connections of the loop: valid until the handler returns. 64 KiB.
  base::MutableBytes read_buffer() { return read_buffer_; }

 private:
  struct PostedTask;
  explicit Loop(const base::Clock& clock);
  void wait_and_dispatch();
  void run_posted();
  void run_again();
  void end_turn();

  const base::Clock& clock_;
  base::MonoMs now_ms_;
  std::uint64_t turn_ = 0;
  int turn_events_ = 0;  // of turn_, so far; 0: the next one has a number of its own
  std::int64_t busy_ms_ = 0;
  std::uint64_t wake_ups_ = 0;
  TimerWheel timers_;
  BlockPool blocks_;
  UniqueFd epoll_;
  UniqueFd wake_;
  bool running_ = true;
  base::Bytes read_buffer_;
  base::IntrusiveList<LoopClient, TurnEndTag> turn_end_;
  base::IntrusiveList<LoopClient, AgainTag> again_;
  std::vector<std::unique_ptr<LoopClient>> retired_;
  base::UniqueFunction<void(base::MonoMs)> turn_ended_;
  alignas(64) std::atomic<PostedTask*> posted_{nullptr};  // a stack, newest first; on a line of its own
};

}  // namespace mooring::net
