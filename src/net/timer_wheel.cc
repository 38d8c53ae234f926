#include "net/timer_wheel.h"

#include <algorithm>
#include <bit>

namespace mooring::net {

TimerWheel::TimerWheel(base::MonoMs now) : tick_(now >> kTickShift) {}

void TimerWheel::schedule(Timer& timer, base::MonoMs deadline) {
  // Rounded up: a timer never fires early.
  timer.due_tick_ = (deadline + (1 << kTickShift) - 1) >> kTickShift;
  place(timer, tick_ + 1);
}

void TimerWheel::place(Timer& timer, std::int64_t earliest_tick) {
  const std::int64_t due = std::max(timer.due_tick_, earliest_tick);
  const std::int64_t ahead = due - tick_;
  int level = 0;
  while (level < kLevels - 1 && ahead >= std::int64_t{1} << (kLevelBits * (level + 1))) ++level;
  const std::int64_t reach = (std::int64_t{1} << (kLevelBits * kLevels)) - 1;
  const std::int64_t at = tick_ + std::min(ahead, reach);
  const auto slot = static_cast<std::size_t>((at >> (kLevelBits * level)) & (kSlots - 1));
  slots_[static_cast<std::size_t>(level)][slot].push_back(timer);
  occupied_[static_cast<std::size_t>(level)] |= std::uint64_t{1} << slot;
}

void TimerWheel::cascade(int level) {
  const auto l = static_cast<std::size_t>(level);
  const auto slot = static_cast<std::size_t>((tick_ >> (kLevelBits * level)) & (kSlots - 1));
  occupied_[l] &= ~(std::uint64_t{1} << slot);
  Slot moving;
  moving.splice_back(slots_[l][slot]);
  // This tick's own slot has not fired yet: what is due now belongs there.
  while (Timer* timer = moving.pop_front()) place(*timer, tick_);
}

void TimerWheel::advance(base::MonoMs now) {
  const std::int64_t target = now >> kTickShift;
  while (tick_ < target) {
    ++tick_;
    for (int level = kLevels - 1; level >= 1; --level) {
      if ((tick_ & ((std::int64_t{1} << (kLevelBits * level)) - 1)) == 0) cascade(level);
    }
    const auto slot = static_cast<std::size_t>(tick_ & (kSlots - 1));
    const std::uint64_t bit = std::uint64_t{1} << slot;
    if ((occupied_[0] & bit) == 0) continue;
    occupied_[0] &= ~bit;
    Slot firing;
    firing.splice_back(slots_[0][slot]);
    while (Timer* timer = firing.pop_front()) timer->on_timer(now);
  }
}

int TimerWheel::wait_ms(base::MonoMs now) const {
  std::int64_t soonest = -1;
  for (int level = 0; level < kLevels; ++level) {
    const std::uint64_t bits = occupied_[static_cast<std::size_t>(level)];
    if (bits == 0) continue;
    const int shift = kLevelBits * level;
    const std::int64_t current = tick_ >> shift;
    const int index = static_cast<int>((current + 1) & (kSlots - 1));
    const std::int64_t slot_tick = (current + 1 + std::countr_zero(std::rotr(bits, index))) << shift;
    if (soonest < 0 || slot_tick < soonest) soonest = slot_tick;
  }
  if (soonest < 0) return -1;
  return static_cast<int>(std::clamp<std::int64_t>((soonest << kTickShift) - now, 0, 3'600'000));
}

}  // namespace mooring::net
