// PartialPacket: the beginning of a packet whose end has not arrived. Holds memory only while it holds bytes, and in
// proportion to them, so that announcing a large packet costs the announcer more than us.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/bytes.h"

namespace mooring::mqtt {

class PartialPacket {
 public:
  PartialPacket() = default;
  PartialPacket(PartialPacket&& other) noexcept
      : data_(std::move(other.data_)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  PartialPacket& operator=(PartialPacket&& other) noexcept {
    data_ = std::move(other.data_);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
    return *this;
  }

  // `target_bytes` is what the packet is known to need by now; the buffer never becomes larger than that or than twice
  // the bytes received, a small minimum apart.
  void append(base::ByteView bytes, std::size_t target_bytes);
  void truncate(std::size_t size_bytes);  // to less than it holds
  void clear() { *this = PartialPacket(); }

  bool empty() const { return size_ == 0; }
  base::ByteView view() const { return {data_.get(), size_}; }
  std::size_t size_bytes() const { return size_; }
  std::size_t capacity_bytes() const { return capacity_; }

 private:
  std::unique_ptr<std::uint8_t[]> data_;
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = 0;
};

}  // namespace mooring::mqtt
