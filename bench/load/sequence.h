// Sequences: whether numbered messages arrive once each and in order. One track per sender and receiver.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

namespace mooring::bench {

class Sequences {
 public:
  enum class Arrival : std::uint8_t { kExpected, kAfterGap, kLate, kAgain };

  std::uint32_t add_tracks(std::uint32_t count) {  // returns the first
    const auto first = static_cast<std::uint32_t>(next_.size());
    next_.resize(next_.size() + count);
    return first;
  }

  Arrival take(std::uint32_t track, std::uint32_t number) {
    if (number == next_[track]) {
      ++next_[track];
      return Arrival::kExpected;
    }
    return take_unexpected(track, number);
  }
  std::uint32_t next(std::uint32_t track) const { return next_[track]; }

  std::uint64_t missing() const {  // numbers that were passed over and never came
    std::uint64_t count = forgotten_;
    for (const auto& [track, numbers] : missing_) count += numbers.size();
    return count;
  }
  std::uint64_t disordered() const { return disordered_; }
  std::uint64_t duplicated() const { return duplicated_; }

 private:
  static constexpr std::uint32_t kMaxMissing = 65'536;  // of one track; what is older counts as lost for good

  Arrival take_unexpected(std::uint32_t track, std::uint32_t number) {
    std::set<std::uint32_t>& missing = missing_[track];
    if (number > next_[track]) {
      for (std::uint32_t i = next_[track]; i < number; ++i) {
        missing.insert(i);
        if (missing.size() <= kMaxMissing) continue;
        missing.erase(missing.begin());
        ++forgotten_;
      }
      next_[track] = number + 1;
      return Arrival::kAfterGap;
    }
    if (missing.erase(number) > 0) {
      ++disordered_;
      return Arrival::kLate;
    }
    ++duplicated_;
    return Arrival::kAgain;
  }

  std::vector<std::uint32_t> next_;
  std::map<std::uint32_t, std::set<std::uint32_t>> missing_;  // by track; empty in every run that goes well
  std::uint64_t forgotten_ = 0;
  std::uint64_t disordered_ = 0;
  std::uint64_t duplicated_ = 0;
};

}  // namespace mooring::bench
