// TimerWheel: very many deadlines at a cost that does not depend on how many there are.
//
// Four levels of 64 slots; a tick is 32 ms, so the levels reach 2 s, 2.2 min, 2.3 h and 6.2 days (later deadlines wait
// in the last slot and are placed again). schedule() and cancel() are O(1) and allocate nothing: the links live in the
// Timer. A keep-alive costs nothing per packet: the connection notes the time of its last packet and, when its timer
// fires, compares and schedules itself again.
// A timer fires at most one tick late, never early. One thread.
#pragma once

#include <array>
#include <cstdint>

#include "base/clock.h"
#include "base/intrusive_list.h"

namespace mooring::net {

struct WheelTag;

class Timer : public base::ListHook<WheelTag> {
 public:
  virtual ~Timer() = default;
  virtual void on_timer(base::MonoMs now) = 0;
  bool scheduled() const { return linked(); }
  void cancel() { unlink(); }

 private:
  friend class TimerWheel;
  std::int64_t due_tick_ = 0;
};

class TimerWheel {
 public:
  explicit TimerWheel(base::MonoMs now);
  void schedule(Timer& timer, base::MonoMs deadline);  // moves it when it was scheduled already
  void advance(base::MonoMs now);                      // fires what is due
  // Milliseconds until advance() has something to do, -1 when nothing is scheduled. May be too early, never too late.
  int wait_ms(base::MonoMs now) const;

 private:
  static constexpr int kTickShift = 5;  // 32 ms
  static constexpr int kLevelBits = 6;
  static constexpr int kLevels = 4;
  static constexpr int kSlots = 1 << kLevelBits;
  using Slot = base::IntrusiveList<Timer, WheelTag>;

  void place(Timer& timer, std::int64_t earliest_tick);
  void cascade(int level);

  std::int64_t tick_;  // everything up to and including this tick has fired
  std::array<std::array<Slot, kSlots>, kLevels> slots_;
  std::array<std::uint64_t, kLevels> occupied_{};  // bit set: the slot may hold something
};

}  // namespace mooring::net
