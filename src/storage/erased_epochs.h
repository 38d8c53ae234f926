// ErasedEpochs: the epochs of sessions erased lately. An erased record is gone from the database, so it could not stop
// a write that its former owner sent before it knew. Such writes are under way for moments only: a bounded memory is
// enough. Not thread-safe.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <unordered_map>

#include "session/ports.h"

namespace mooring::storage {

class ErasedEpochs {
 public:
  static constexpr std::size_t kMaxEntries = 16'384;

  void add(const session::SessionKey& key, session::Epoch epoch) {
    const auto [at, is_new] = epochs_.try_emplace(key, epoch);
    at->second = std::max(at->second, epoch);
    if (!is_new) return;
    order_.push_back(key);
    if (order_.size() <= kMaxEntries) return;
    epochs_.erase(order_.front());
    order_.pop_front();
  }
  session::Epoch of(const session::SessionKey& key) const {  // 0: not erased lately
    const auto at = epochs_.find(key);
    return at == epochs_.end() ? 0 : at->second;
  }

 private:
  std::unordered_map<session::SessionKey, session::Epoch> epochs_;
  std::deque<session::SessionKey> order_;
};

}  // namespace mooring::storage
