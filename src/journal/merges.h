// Private to the module: what repeats. The merges under way of each device, bounded; the owner writes what falls out.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "journal/entry.h"

namespace mooring::journal {

inline constexpr std::size_t kGroupsOfDevice = 8;
inline constexpr std::size_t kGroupsOfDeviceInStorm = 2;  // refused, and turned away
inline constexpr std::size_t kStormDevices = 20'000;
// More than a storm has: with fewer every repeat would find its merge pushed out, and be a row.
inline constexpr std::size_t kMergingDevicesMax = 65'536;
inline constexpr std::size_t kMergingStrangersMax = 10'000;
inline constexpr std::uint32_t kNewGroupsPerMinute = 12;
inline constexpr std::uint32_t kExaminationsPerMinute = 12;  // of one device
inline constexpr base::WallMs kGroupLifeMs = 3'600'000;
inline constexpr base::WallMs kGroupQuietMs = 600'000;
inline constexpr base::WallMs kFirstWriteMs = 10'000;
inline constexpr base::WallMs kLastWriteMs = 160'000;

// One entry that may grow.
struct Group {
  Entry entry;
  std::uint64_t fingerprint = 0;  // of the last attempt; 0: none
  base::WallMs write_at_ms = 0;   // when `pending` is due
  base::WallMs write_step_ms = kFirstWriteMs;
  bool pending = false;  // the stored row is behind
  bool over = false;     // its row was trimmed: what comes next begins another entry, with its details
};

// Everything that is merged for one device, or for one stranger.
struct Merging {
  std::string key;
  std::vector<Group> groups;
  base::WallMs minute_ms = 0;  // of the two counts
  std::uint32_t new_groups = 0;
  std::uint32_t examinations = 0;

  bool counts_this_minute(base::WallMs now_ms) const { return now_ms - minute_ms < 60'000 && now_ms >= minute_ms; }
  void count_minute(base::WallMs now_ms) {
    if (counts_this_minute(now_ms)) return;
    minute_ms = now_ms;
    new_groups = 0;
    examinations = 0;
  }
};

// By key, bounded, the one that was touched longest ago first out.
class Merges {
 public:
  explicit Merges(std::size_t most) : most_(most) {}

  Merging* find(std::string_view key) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return nullptr;
    order_.splice(order_.begin(), order_, found->second);
    return &*found->second;
  }
  Merging& add(std::string key) {
    order_.emplace_front();
    order_.front().key = std::move(key);
    by_key_.emplace(order_.front().key, order_.begin());
    return order_.front();
  }
  void remove(std::string_view key) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return;
    const auto at = found->second;
    by_key_.erase(found);
    order_.erase(at);
  }
  void clear() {
    by_key_.clear();
    order_.clear();
  }
  bool full() const { return order_.size() >= most_; }
  std::size_t size() const { return order_.size(); }
  Merging& oldest() { return order_.back(); }
  std::list<Merging>& all() { return order_; }

 private:
  const std::size_t most_;
  std::list<Merging> order_;
  std::unordered_map<std::string_view, std::list<Merging>::iterator> by_key_;  // keys live in the list
};

}  // namespace mooring::journal
