// DeliveryTimes: how long messages took from PUBLISH to their subscriber, counted without a clock for each of them.
//
// During a turn of the loop deliveries are only gathered by the moment of their publishing, which is nearly always the
// same for all; when the turn has ended, and with it the writing, the time that the loop reads anyway makes times of
// them. Belongs to its loop.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "metrics/histogram.h"
#include "net/loop.h"

namespace mooring::gateway {

class DeliveryTimes {
 public:
  explicit DeliveryTimes(const net::Loop& loop) : loop_(&loop) {}

  // `published_ms` as mqtt::Message knows it; 0: nobody knows, and it is not counted.
  void count(std::uint32_t published_ms) {
    if (published_ms != gathered_[current_].published_ms) find(published_ms);
    ++gathered_[current_].deliveries;
  }
  void turn_ended(base::MonoMs now) {
    if (used_ > 1 || gathered_[0].deliveries > 0) settle(now);
  }
  const metrics::Histogram& times() const { return times_; }

 private:
  static constexpr std::size_t kMoments = 64;  // of one turn; when there are more the earlier ones are settled early
  struct Moment {
    std::uint32_t published_ms = 0;
    std::uint32_t deliveries = 0;
  };

  [[gnu::noinline]] void find(std::uint32_t published_ms) {
    for (current_ = 0; current_ < used_; ++current_) {
      if (gathered_[current_].published_ms == published_ms) return;
    }
    if (used_ == kMoments) {
      current_ = used_ - 1;
      settle(loop_->now_ms());
    }
    current_ = used_++;
    gathered_[current_] = {published_ms, 0};
  }
  // Keeps one moment, the latest, without deliveries: the next message is likely to be of the same one.
  void settle(base::MonoMs now) {
    for (std::size_t i = 0; i < used_; ++i) {
      const Moment& moment = gathered_[i];
      // Modulo 2^32. Another loop's turn may have begun a moment later than this one.
      const auto age_ms = static_cast<std::int32_t>(static_cast<std::uint32_t>(now) - moment.published_ms);
      if (moment.published_ms != 0) times_.observe(age_ms > 0 ? age_ms : 0, moment.deliveries);
    }
    gathered_[0] = {gathered_[current_].published_ms, 0};
    used_ = 1;
    current_ = 0;
  }

  const net::Loop* loop_;
  std::array<Moment, kMoments> gathered_{};
  std::size_t used_ = 1;
  std::size_t current_ = 0;
  metrics::Histogram times_;
};

}  // namespace mooring::gateway
