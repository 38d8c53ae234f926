// Reloader: asks for something anew whenever it has changed, one question at a time for each key, so that an older
// answer never comes after a newer one. One loop; bounded by the questions that are under way.
#pragma once

#include <string>
#include <unordered_map>
#include <utility>

#include "base/unique_function.h"

namespace mooring::server {

class Reloader {
 public:
  // Asks for `key`, and calls `answered` on this loop once the answer was dealt with. Outlives no loop.
  using Ask = base::UniqueFunction<void(const std::string& key, base::UniqueFunction<void()> answered)>;
  explicit Reloader(Ask ask) : ask_(std::move(ask)) {}

  // After the change: whatever is asked from now on has it.
  void changed(const std::string& key) {
    const auto [found, first] = under_way_.try_emplace(key, false);
    if (!first) {
      found->second = true;
      return;
    }
    ask_(key, [this, key] {
      const bool again = under_way_.at(key);
      under_way_.erase(key);
      if (again) changed(key);
    });
  }

 private:
  Ask ask_;
  std::unordered_map<std::string, bool> under_way_;  // true: it has changed since it was asked for
};

}  // namespace mooring::server
