#include "mqtt/partial_packet.h"

#include <algorithm>

#include "base/assert.h"

namespace mooring::mqtt {
namespace {
constexpr std::size_t kMinCapacityBytes = 64;
}

void PartialPacket::append(base::ByteView bytes, std::size_t target_bytes) {
  const std::size_t needed = size_ + bytes.size();
  MOORING_ASSERT(needed <= target_bytes);
  if (needed > capacity_) {
    const std::size_t capacity = std::min(std::max(needed * 2, kMinCapacityBytes), target_bytes);
    auto larger = std::make_unique_for_overwrite<std::uint8_t[]>(capacity);
    std::copy_n(data_.get(), size_, larger.get());
    data_ = std::move(larger);
    capacity_ = static_cast<std::uint32_t>(capacity);
  }
  std::copy(bytes.begin(), bytes.end(), data_.get() + size_);
  size_ = static_cast<std::uint32_t>(needed);
}

void PartialPacket::truncate(std::size_t size_bytes) {
  MOORING_ASSERT(size_bytes <= size_);
  size_ = static_cast<std::uint32_t>(size_bytes);
}

}  // namespace mooring::mqtt
