// ReplayQueue: a client's new subscriptions that still have to get the retained messages they select, oldest first.
// One loop. An empty one holds no memory.
//
// Bounds: takes() says whether one more is within kMaxReplays and kMaxBytes; whoever adds asks before. A SUBSCRIBE is
// added when it is answered, so there may be one packet more.
#pragma once

#include <boost/unordered/unordered_flat_set.hpp>
#include <cstddef>
#include <memory>
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

  bool takes(std::size_t filter_bytes) const { return size() < kMaxReplays && bytes() + filter_bytes <= kMaxBytes; }
  void push(RetainedReplay replay) {
    if (held_ == nullptr) held_ = std::make_unique<Held>();
    held_->bytes += replay.subscription.filter.size();
    held_->replays.push_back(std::move(replay));
  }
  RetainedReplay& front() { return held_->replays.front(); }
  void pop() {
    held_->bytes -= held_->replays.pop_front().subscription.filter.size();
    if (held_->replays.empty()) held_.reset();
  }

  // The subscriptions to these filters have ended.
  using Filters = boost::unordered_flat_set<std::string_view>;
  void drop(const Filters& filters) {
    ReplayQueue left;
    while (held_ != nullptr && !held_->replays.empty()) {
      RetainedReplay replay = held_->replays.pop_front();
      if (!filters.contains(replay.subscription.filter)) left.push(std::move(replay));
    }
    *this = std::move(left);
  }
  void clear() { held_.reset(); }

  bool empty() const { return held_ == nullptr; }
  std::size_t size() const { return held_ == nullptr ? 0 : held_->replays.size(); }
  std::size_t bytes() const { return held_ == nullptr ? 0 : held_->bytes; }

 private:
  struct Held {
    session::Ring<RetainedReplay> replays;
    std::size_t bytes = 0;
  };
  std::unique_ptr<Held> held_;
};

}  // namespace mooring::broker
