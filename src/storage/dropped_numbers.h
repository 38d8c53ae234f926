// DroppedNumbers: session numbers whose queue is no more: nothing is read from it and nothing is written to it, though
// its keys may still be there. Remembers all whose keys are still being removed, and those finished lately: writes
// under way when a queue is dropped follow within moments, so that a bounded memory is enough. Thread-safe.
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <unordered_set>

#include "session/ports.h"

namespace mooring::storage {

class DroppedNumbers {
 public:
  static constexpr std::size_t kMaxFinished = 16'384;

  // False: it was there already.
  bool add(session::SessionNumber number) {
    const std::lock_guard lock(mutex_);
    return numbers_.insert(number).second;
  }
  void finish(session::SessionNumber number) {
    const std::lock_guard lock(mutex_);
    finished_.push_back(number);
    if (finished_.size() <= kMaxFinished) return;
    numbers_.erase(finished_.front());
    finished_.pop_front();
  }
  bool contains(session::SessionNumber number) const {
    const std::lock_guard lock(mutex_);
    return numbers_.contains(number);
  }

 private:
  mutable std::mutex mutex_;
  std::unordered_set<session::SessionNumber> numbers_;
  std::deque<session::SessionNumber> finished_;  // the oldest first
};

}  // namespace mooring::storage
