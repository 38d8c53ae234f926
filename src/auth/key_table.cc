#include "auth/key_table.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <mutex>
#include <new>
#include <span>

namespace mooring::auth {
namespace {

constexpr std::size_t kWays = 8;
constexpr std::size_t kLocks = 16;

struct Slot {
  std::uint64_t key;  // 0: free
  std::uint32_t second;
  std::uint32_t count;
};

struct FreeSlots {
  void operator()(Slot* slots) const { std::free(slots); }  // NOLINT: pages that nobody used were never there
};

std::uint32_t second_of(base::MonoMs now_ms) {
  return static_cast<std::uint32_t>(now_ms / 1000);
}

}  // namespace

struct KeyTable::Impl {
  explicit Impl(std::size_t wanted)
      : buckets(std::max<std::size_t>(1, (wanted + kWays - 1) / kWays)),
        slots(static_cast<Slot*>(std::calloc(buckets * kWays, sizeof(Slot)))) {  // NOLINT
    if (slots == nullptr) throw std::bad_alloc();
  }

  std::mutex& lock_of(std::uint64_t key) { return locks[(key % buckets) % kLocks]; }
  std::span<Slot> bucket_of(std::uint64_t key) { return {slots.get() + key % buckets * kWays, kWays}; }
  Slot* find(std::uint64_t key) {
    for (Slot& slot : bucket_of(key)) {
      if (slot.key == key) return &slot;
    }
    return nullptr;
  }
  Slot& find_or_make(std::uint64_t key, std::uint32_t second) {
    if (Slot* known = find(key)) return *known;
    const auto older = [](const Slot& a, const Slot& b) {
      return a.key == 0 ? b.key != 0 : b.key != 0 && a.second < b.second;
    };
    const std::span<Slot> bucket = bucket_of(key);
    Slot& slot = *std::min_element(bucket.begin(), bucket.end(), older);
    slot = {key, second, 0};
    return slot;
  }

  std::size_t buckets;
  std::unique_ptr<Slot, FreeSlots> slots;
  std::array<std::mutex, kLocks> locks;
};

KeyTable::KeyTable(std::size_t slots) : impl_(std::make_unique<Impl>(slots)) {}
KeyTable::~KeyTable() = default;

void KeyTable::mark(std::uint64_t key, base::MonoMs now_ms) {
  const std::lock_guard lock(impl_->lock_of(key));
  const std::uint32_t second = second_of(now_ms);
  Slot& slot = impl_->find_or_make(key, second);
  slot.second = std::max(slot.second, second);
}

void KeyTable::forget(std::uint64_t key) {
  const std::lock_guard lock(impl_->lock_of(key));
  if (Slot* slot = impl_->find(key)) *slot = {};
}

bool KeyTable::marked_within(std::uint64_t key, base::MonoMs now_ms, base::MonoMs window_ms) const {
  const std::lock_guard lock(impl_->lock_of(key));
  const Slot* slot = impl_->find(key);
  return slot != nullptr && std::int64_t{second_of(now_ms)} - slot->second <= window_ms / 1000;
}

std::uint32_t KeyTable::count(std::uint64_t key, base::MonoMs now_ms) {
  const std::lock_guard lock(impl_->lock_of(key));
  const std::uint32_t second = second_of(now_ms);
  Slot& slot = impl_->find_or_make(key, second);
  if (second > slot.second) {
    slot.second = second;
    slot.count = 0;
  }
  return ++slot.count;
}

}  // namespace mooring::auth
