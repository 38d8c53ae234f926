// ReplayQueue: a client's new subscriptions that still have to get the retained messages they select, oldest first.
// One loop.
//
// Bounds: takes() says whether one more is within kMaxReplays and kMaxBytes; whoever adds asks before. A SUBSCRIBE is
// added when it is answered, so there may be one packet more.
#pragma once

#include <boost/unordered/unordered_flat_set.hpp>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "session/ports.h"
#include "session/ring.h"

namespace mooring::broker {

// A new subscription on its way through the retained messages it selects.
struct RetainedReplay {
  session::SubscriptionRecord subscription;
  std::string after;  // topic of the last message that was sent
};

class ReplayQueue {
 public:
  static constexpr std::size_t kMaxReplays = 10'000;
  static constexpr std::size_t kMaxBytes = 2U << 20;  // of their filters: as many as a session may have

  bool takes(std::size_t filter_bytes) const {
    return replays_.size() < kMaxReplays && bytes_ + filter_bytes <= kMaxBytes;
  }
  void push(RetainedReplay replay) {
    bytes_ += replay.subscription.filter.size();
    replays_.push_back(std::move(replay));
  }
  RetainedReplay& front() { return replays_.front(); }
  void pop() {
    bytes_ -= replays_.pop_front().subscription.filter.size();
    if (replays_.empty()) replays_.free_if_large();
  }

  // The subscriptions to these filters have ended.
  using Filters = boost::unordered_flat_set<std::string_view>;
  void drop(const Filters& filters) {
    ReplayQueue left;
    while (!replays_.empty()) {
      RetainedReplay replay = replays_.pop_front();
      if (!filters.contains(replay.subscription.filter)) left.push(std::move(replay));
    }
    *this = std::move(left);
  }
  void clear() { *this = ReplayQueue(); }

  bool empty() const { return replays_.empty(); }
  std::size_t size() const { return replays_.size(); }
  std::size_t bytes() const { return bytes_; }

 private:
  session::Ring<RetainedReplay> replays_;
  std::size_t bytes_ = 0;
};

}  // namespace mooring::broker
