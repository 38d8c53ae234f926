#include "auth/connect_limiter.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <span>
#include <vector>

#include "auth/address_key.h"

namespace mooring::auth {
namespace {

constexpr base::MonoMs kCellMs = 5000;
constexpr std::size_t kCells = 13;  // the running one and the 12 of the minute before it
constexpr std::size_t kWays = 8;    // slots a key may be in
constexpr std::size_t kShards = 16;

struct Slot {
  std::uint64_t key = 0;  // 0: free
  std::int64_t newest_cell = 0;
  std::array<std::uint16_t, kCells> cells{};
};

// Clears the cells that time has passed over, so that `cell` is the newest.
void advance(Slot& slot, std::int64_t cell) {
  const std::int64_t steps = cell - slot.newest_cell;
  if (steps <= 0) return;
  if (steps >= static_cast<std::int64_t>(kCells)) {
    slot.cells.fill(0);
  } else {
    for (std::int64_t i = slot.newest_cell + 1; i <= cell; ++i) slot.cells[static_cast<std::size_t>(i) % kCells] = 0;
  }
  slot.newest_cell = cell;
}

}  // namespace

struct MinuteCounter::Impl {
  struct Shard {
    mutable std::mutex mutex;
    std::vector<Slot> slots;
  };

  Impl(std::size_t slots, base::Random& random)
      : hash(random), buckets_per_shard((slots + kShards * kWays - 1) / (kShards * kWays)) {
    buckets_per_shard = std::max<std::size_t>(buckets_per_shard, 1);
    for (Shard& shard : shards) shard.slots.resize(buckets_per_shard * kWays);
  }

  Shard& shard_of(std::uint64_t key) { return shards[key % kShards]; }
  std::span<Slot> bucket_of(Shard& shard, std::uint64_t key) const {
    return std::span<Slot>(shard.slots).subspan((key / kShards) % buckets_per_shard * kWays, kWays);
  }

  const crypto::KeyedHash hash;
  std::size_t buckets_per_shard;
  std::array<Shard, kShards> shards;
};

MinuteCounter::MinuteCounter(std::size_t slots, base::Random& random) : impl_(std::make_unique<Impl>(slots, random)) {}
MinuteCounter::~MinuteCounter() = default;

void MinuteCounter::count(std::initializer_list<std::string_view> key, base::MonoMs now_ms) {
  const std::uint64_t hash = impl_->hash(key);
  const std::int64_t cell = now_ms / kCellMs;
  Impl::Shard& shard = impl_->shard_of(hash);
  const std::lock_guard lock(shard.mutex);
  const std::span<Slot> bucket = impl_->bucket_of(shard, hash);
  auto slot = std::find_if(bucket.begin(), bucket.end(), [hash](const Slot& s) { return s.key == hash; });
  if (slot == bucket.end()) {
    const auto older = [](const Slot& a, const Slot& b) {
      return a.key == 0 ? b.key != 0 : b.key != 0 && a.newest_cell < b.newest_cell;
    };
    slot = std::min_element(bucket.begin(), bucket.end(), older);
    *slot = Slot{hash, cell, {}};
  }
  advance(*slot, cell);
  std::uint16_t& events = slot->cells[static_cast<std::size_t>(slot->newest_cell) % kCells];
  if (events < UINT16_MAX) ++events;
}

std::uint32_t MinuteCounter::events(std::initializer_list<std::string_view> key, base::MonoMs now_ms) const {
  const std::uint64_t hash = impl_->hash(key);
  Impl::Shard& shard = impl_->shard_of(hash);
  const std::lock_guard lock(shard.mutex);
  for (Slot& slot : impl_->bucket_of(shard, hash)) {
    if (slot.key != hash) continue;
    Slot current = slot;
    advance(current, now_ms / kCellMs);
    std::uint32_t sum = 0;
    for (const std::uint16_t events : current.cells) sum += events;
    return sum;
  }
  return 0;
}

namespace {

constexpr base::MonoMs kRefusedForMs = 60'000;
constexpr base::MonoMs kAcceptedForMs = 24LL * 3600 * 1000;
constexpr std::size_t kPairSlotsPerSlot = 4;

}  // namespace

ConnectLimiter::ConnectLimiter(Limits limits, base::Random& random, std::size_t slots)
    : device_limit_(limits.connects_per_device_per_minute),
      address_limit_(limits.refusals_per_address_per_minute),
      rate_limit_(limits.connects_per_second),
      devices_(slots, random),
      addresses_(slots, random),
      hash_(random),
      refused_(kPairSlotsPerSlot * slots),
      accepted_(kPairSlotsPerSlot * slots),
      good_addresses_(slots),
      strangers_(slots),
      handshakes_(slots),
      passwords_(slots) {}

void ConnectLimiter::set_limits(Limits limits) {
  device_limit_ = limits.connects_per_device_per_minute;
  address_limit_ = limits.refusals_per_address_per_minute;
  rate_limit_ = limits.connects_per_second;
}

bool ConnectLimiter::over_rate(base::MonoMs now_ms) const {
  const std::uint32_t limit = rate_limit_;
  if (limit == 0) return false;
  const auto second = static_cast<std::uint64_t>(now_ms / 1000) << 32;
  const std::uint64_t seen = this_second_.load(std::memory_order_relaxed);
  return seen >= second && (seen & 0xFFFFFFFF) >= limit;  // a thread whose clock lags is in the newer second
}

bool ConnectLimiter::device_over_limit(const base::DeviceKeyView& device, base::MonoMs now_ms) const {
  const std::uint32_t limit = device_limit_;
  return limit != 0 && devices_.events({device.product_key, device.device_name}, now_ms) >= limit;
}

void ConnectLimiter::count_child(const base::DeviceKeyView& device, base::MonoMs now_ms) {
  if (device_limit_ != 0) devices_.count({device.product_key, device.device_name}, now_ms);
}

void ConnectLimiter::count_accepted(const base::DeviceKeyView& device, base::MonoMs now_ms) {
  count_child(device, now_ms);
  if (rate_limit_ == 0) return;
  const auto second = static_cast<std::uint64_t>(now_ms / 1000) << 32;
  std::uint64_t seen = this_second_.load(std::memory_order_relaxed);
  while (!this_second_.compare_exchange_weak(seen, std::max(seen, second) + 1, std::memory_order_relaxed)) {
  }
}

bool ConnectLimiter::address_over_limit(std::string_view address, base::MonoMs now_ms) const {
  const std::uint32_t limit = address_limit_;
  std::array<char, 16> storage;
  return limit != 0 && addresses_.events({address_key(address, storage)}, now_ms) >= limit;
}

ConnectLimiter::Standing ConnectLimiter::standing(std::string_view from, std::string_view who,
                                                  base::MonoMs now_ms) const {
  if (who.empty()) return Standing::kStranger;
  const std::uint64_t pair = hash_({from, who});
  if (refused_.marked_within(pair, now_ms, kRefusedForMs)) return Standing::kRefused;
  return accepted_.marked_within(pair, now_ms, kAcceptedForMs) ? Standing::kKnown : Standing::kStranger;
}

bool ConnectLimiter::turned_away(std::string_view address, std::string_view who, base::MonoMs now_ms) {
  if (!address_over_limit(address, now_ms)) return false;
  std::array<char, 16> storage;
  const std::string_view from = address_key(address, storage);
  const Standing found = standing(from, who, now_ms);
  if (found != Standing::kStranger) return found == Standing::kRefused;
  return strangers_.count(hash_({from}), now_ms) > kStrangersPerSecond;
}

bool ConnectLimiter::refused_lately(std::string_view address, std::string_view who, base::MonoMs now_ms) const {
  if (!address_over_limit(address, now_ms)) return false;
  std::array<char, 16> storage;
  return standing(address_key(address, storage), who, now_ms) == Standing::kRefused;
}

bool ConnectLimiter::may_check_password(std::string_view address, std::string_view who, base::MonoMs now_ms) {
  if (!address_over_limit(address, now_ms)) return true;
  std::array<char, 16> storage;
  const std::string_view from = address_key(address, storage);
  const Standing found = standing(from, who, now_ms);
  if (found != Standing::kStranger) return found == Standing::kKnown;
  return passwords_.count(hash_({from}), now_ms) <= kPasswordsOfStrangersPerSecond;
}

bool ConnectLimiter::may_shake_hands(std::string_view address, base::MonoMs now_ms) {
  if (!address_over_limit(address, now_ms)) return true;
  std::array<char, 16> storage;
  const std::uint64_t key = hash_({address_key(address, storage)});
  const bool good = good_addresses_.marked_within(key, now_ms, kAcceptedForMs);
  return handshakes_.count(key, now_ms) <= (good ? kHandshakesPerSecond : kHandshakesOfStrangersPerSecond);
}

bool ConnectLimiter::count_refused(std::string_view address, std::string_view who, base::MonoMs now_ms) {
  const std::uint32_t limit = address_limit_;
  if (limit == 0) return false;
  std::array<char, 16> storage;
  const std::string_view from = address_key(address, storage);
  if (!who.empty()) refused_.mark(hash_({from, who}), now_ms);
  addresses_.count({from}, now_ms);
  return addresses_.events({from}, now_ms) == limit;
}

void ConnectLimiter::remember_accepted(std::string_view address, std::string_view who, base::MonoMs now_ms) {
  if (address_limit_ == 0) return;
  std::array<char, 16> storage;
  const std::string_view from = address_key(address, storage);
  if (!who.empty()) {
    const std::uint64_t pair = hash_({from, who});
    refused_.forget(pair);
    accepted_.mark(pair, now_ms);
  }
  good_addresses_.mark(hash_({from}), now_ms);
}

}  // namespace mooring::auth
