// Rates of messages (connection.md 7): so many in a second, counted with integers on the loop's cached clock.
//
// TokenBucket belongs to one connection or device: 8 bytes, holds one second's worth, refills evenly. InstanceRate is
// what all loops have together; each loop takes from it in portions through its own RateShare, so that no line of
// memory is shared for each message. A limit of 0 means none.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <utility>

#include "base/clock.h"

namespace mooring::broker {

inline constexpr std::uint32_t kMaxRatePerSecond = 1'000'000;  // of a TokenBucket

class TokenBucket {
 public:
  // Whether one more is within the limit now; then it is taken.
  bool take(std::uint32_t per_second, base::MonoMs now_ms) {
    if (per_second == 0) return true;
    const auto now = static_cast<std::uint32_t>(now_ms);  // comes around after 49 days: then it is merely not full
    const std::uint64_t full = std::uint64_t{per_second} * kToken;
    const std::uint64_t credit = credit_ + std::uint64_t{now - at_ms_} * per_second;
    credit_ = static_cast<std::uint32_t>(std::min(credit, full));
    at_ms_ = now;
    if (credit_ < kToken) return false;
    credit_ -= kToken;
    return true;
  }

 private:
  static constexpr std::uint32_t kToken = 1000;        // thousandths, for the milliseconds between two messages
  std::uint32_t credit_ = kMaxRatePerSecond * kToken;  // full, whatever the limit
  std::uint32_t at_ms_ = 0;
};

// How many were refused in the present second: what a log line calls the "current qps". And how many the device log
// has not been told of: it is told once a second at most.
class RefusedInSecond {
 public:
  std::uint32_t count(base::MonoMs now_ms) {
    const auto second = static_cast<std::uint32_t>(now_ms / 1000);
    if (second != second_) {
      before_ = refused_;
      refused_ = 0;
    }
    second_ = second;
    ++untold_;
    return ++refused_;
  }
  // Whether now is the time to tell of them: with the first one of a second.
  bool is_first() const { return refused_ == 1; }
  std::uint32_t take_untold() { return std::exchange(untold_, 0); }
  // Of this second, or of the one before that had any.
  std::uint32_t most() const { return std::max(refused_, before_); }

 private:
  std::uint32_t second_ = 0;
  std::uint32_t refused_ = 0;
  std::uint32_t before_ = 0;
  std::uint32_t untold_ = 0;
};

// Any thread.
class InstanceRate {
 public:
  void set_limit(std::uint32_t per_second) { limit_.store(per_second, std::memory_order_relaxed); }
  std::uint32_t limit() const { return limit_.load(std::memory_order_relaxed); }

  // How many of `wanted` are left in this second. A loop whose clock lags takes from the newer second.
  std::uint32_t take(std::uint32_t wanted, std::uint32_t second) {
    const std::uint32_t limit = this->limit();
    std::uint64_t seen = used_.load(std::memory_order_relaxed);
    for (;;) {
      const std::uint64_t now = std::max(seen, std::uint64_t{second} << 32);
      const auto used = static_cast<std::uint32_t>(now);
      const std::uint32_t granted = used >= limit ? 0 : std::min(wanted, limit - used);
      if (granted == 0) return 0;
      if (used_.compare_exchange_weak(seen, now + granted, std::memory_order_relaxed)) return granted;
    }
  }

 private:
  std::atomic<std::uint32_t> limit_{0};
  alignas(64) std::atomic<std::uint64_t> used_{0};  // the second above, what was taken in it below
};

// One loop's way to an InstanceRate. What it took and did not use goes with the second: at most a portion.
class RateShare {
 public:
  explicit RateShare(InstanceRate& whole) : whole_(whole) {}

  bool take(base::MonoMs now_ms) {
    const std::uint32_t limit = whole_.limit();
    if (limit == 0) return true;
    const auto second = static_cast<std::uint32_t>(now_ms / 1000);
    if (second != second_) {
      second_ = second;
      left_ = 0;
      dry_ = false;
    }
    if (left_ == 0 && !dry_) {
      left_ = whole_.take(std::max<std::uint32_t>(1, limit / kPortions), second);
      dry_ = left_ == 0;
    }
    if (left_ == 0) return false;
    --left_;
    return true;
  }
  std::uint32_t limit() const { return whole_.limit(); }

 private:
  static constexpr std::uint32_t kPortions = 64;
  InstanceRate& whole_;
  std::uint32_t second_ = 0;
  std::uint32_t left_ = 0;
  bool dry_ = false;
};

// The two rates of the installation: from devices and to devices.
struct InstanceRates {
  InstanceRate up;
  InstanceRate down;
};

}  // namespace mooring::broker
