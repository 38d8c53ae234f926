#include "auth/connect_limiter.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "crypto/hmac.h"

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

// The first half of an IPv6 address, which one customer owns as a whole; mapped IPv4 as IPv4; other text as it is.
std::string_view address_key(std::string_view address, std::array<char, 16>& storage) {
  char terminated[INET6_ADDRSTRLEN] = {};
  if (address.size() >= sizeof terminated) return address;
  std::copy(address.begin(), address.end(), terminated);
  unsigned char v6[16];
  if (::inet_pton(AF_INET6, terminated, v6) != 1) return address;
  static constexpr unsigned char kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  if (std::memcmp(v6, kMapped, sizeof kMapped) == 0) {
    char v4[INET_ADDRSTRLEN] = {};
    ::inet_ntop(AF_INET, v6 + sizeof kMapped, v4, sizeof v4);
    const std::size_t size = std::strlen(v4);
    std::copy_n(v4, size, storage.begin());
    return {storage.data(), size};
  }
  std::memcpy(storage.data(), v6, 8);
  return {storage.data(), 8};
}

}  // namespace

struct MinuteCounter::Impl {
  struct Shard {
    mutable std::mutex mutex;
    std::vector<Slot> slots;
  };

  Impl(std::size_t slots, base::Random& random) : buckets_per_shard((slots + kShards * kWays - 1) / (kShards * kWays)) {
    buckets_per_shard = std::max<std::size_t>(buckets_per_shard, 1);
    random.fill({reinterpret_cast<std::uint8_t*>(seed.data()), seed.size()});
    for (Shard& shard : shards) shard.slots.resize(buckets_per_shard * kWays);
  }

  // Keyed, so that nobody can aim a key at another one's slots.
  std::uint64_t hash(std::initializer_list<std::string_view> key) const {
    std::string joined;
    for (const std::string_view part : key) joined.append(part).push_back('\0');
    const crypto::Mac mac = crypto::hmac(crypto::HmacMethod::kSha1, {seed.data(), seed.size()}, {joined});
    std::uint64_t value = 0;
    std::memcpy(&value, mac.bytes.data(), sizeof value);
    return value == 0 ? 1 : value;
  }

  Shard& shard_of(std::uint64_t key) { return shards[key % kShards]; }
  std::span<Slot> bucket_of(Shard& shard, std::uint64_t key) const {
    return std::span<Slot>(shard.slots).subspan((key / kShards) % buckets_per_shard * kWays, kWays);
  }

  std::array<char, 16> seed{};
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

ConnectLimiter::ConnectLimiter(Limits limits, base::Random& random, std::size_t slots)
    : device_limit_(limits.connects_per_device_per_minute),
      address_limit_(limits.refusals_per_address_per_minute),
      rate_limit_(limits.connects_per_second),
      devices_(slots, random),
      addresses_(slots, random) {}

void ConnectLimiter::set_limits(Limits limits) {
  device_limit_ = limits.connects_per_device_per_minute;
  address_limit_ = limits.refusals_per_address_per_minute;
  rate_limit_ = limits.connects_per_second;
}

bool ConnectLimiter::over_rate(base::MonoMs now_ms) {
  const std::uint32_t limit = rate_limit_;
  if (limit == 0) return false;
  const auto second = static_cast<std::uint64_t>(now_ms / 1000) << 32;
  std::uint64_t seen = this_second_.load(std::memory_order_relaxed);
  std::uint64_t next = 0;
  do {
    // A thread whose clock lags counts into the newer second.
    next = seen >= second ? seen + 1 : second + 1;
  } while (!this_second_.compare_exchange_weak(seen, next, std::memory_order_relaxed));
  return (next & 0xFFFFFFFF) > limit;
}

bool ConnectLimiter::device_over_limit(const base::DeviceKeyView& device, base::MonoMs now_ms) const {
  const std::uint32_t limit = device_limit_;
  return limit != 0 && devices_.events({device.product_key, device.device_name}, now_ms) >= limit;
}

void ConnectLimiter::count_accepted(const base::DeviceKeyView& device, base::MonoMs now_ms) {
  if (device_limit_ != 0) devices_.count({device.product_key, device.device_name}, now_ms);
}

bool ConnectLimiter::address_over_limit(std::string_view address, base::MonoMs now_ms) const {
  const std::uint32_t limit = address_limit_;
  std::array<char, 16> storage;
  return limit != 0 && addresses_.events({address_key(address, storage)}, now_ms) >= limit;
}

void ConnectLimiter::count_refused(std::string_view address, base::MonoMs now_ms) {
  std::array<char, 16> storage;
  if (address_limit_ != 0) addresses_.count({address_key(address, storage)}, now_ms);
}

}  // namespace mooring::auth
