// Ring: a first-in-first-out queue in one block of memory that grows by doubling and holds nothing while empty and new.
// (libstdc++'s deque takes more than 500 bytes even when empty.) T must be default constructible and movable; a place
// that becomes free is reset to T(). One thread. At most 2^31 elements; not bounded otherwise: the owner is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/assert.h"

namespace mooring::session {

template <class T>
class Ring {
 public:
  Ring() = default;
  Ring(Ring&& other) noexcept { *this = std::move(other); }
  Ring& operator=(Ring&& other) noexcept {
    places_ = std::move(other.places_);
    capacity_ = std::exchange(other.capacity_, 0);
    first_ = std::exchange(other.first_, 0);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  T& operator[](std::size_t index) { return places_[wrap(first_ + index)]; }
  const T& operator[](std::size_t index) const { return places_[wrap(first_ + index)]; }
  T& front() { return (*this)[0]; }

  T& push_back(T value) {
    T& place = emplace_back();
    place = std::move(value);
    return place;
  }

  // A new last place, to be filled in where it is.
  T& emplace_back() {
    if (size_ == capacity_) grow();
    return places_[wrap(std::size_t{first_} + size_++)];
  }

  T pop_front() {
    MOORING_ASSERT(size_ > 0);
    T value = std::move(front());
    drop_front();
    return value;
  }

  void drop_front() {
    MOORING_ASSERT(size_ > 0);
    T& place = front();
    std::destroy_at(&place);
    std::construct_at(&place);
    first_ = static_cast<std::uint32_t>(wrap(first_ + std::size_t{1}));
    size_ -= 1;
  }

  // Of an empty ring: gives back what a burst needed.
  void free_if_large() {
    if (capacity_ > kKeptPlaces) clear();
  }

  void clear() { *this = Ring(); }

  // Keeps the order of the others. Cheap near the front, which is where it happens.
  void erase(std::size_t index) {
    MOORING_ASSERT(index < size_);
    for (; index > 0; --index) (*this)[index] = std::move((*this)[index - 1]);
    drop_front();
  }

 private:
  static constexpr std::uint32_t kKeptPlaces = 16;
  static constexpr std::uint32_t kFirstPlaces = 4;  // a power of two, as are all sizes after it
  static constexpr std::uint32_t kMostPlaces = std::uint32_t{1} << 31;

  std::size_t wrap(std::size_t index) const { return index & (capacity_ - std::size_t{1}); }

  void grow() {
    MOORING_ASSERT(capacity_ < kMostPlaces);
    const std::uint32_t capacity = capacity_ == 0 ? kFirstPlaces : capacity_ * 2;
    auto larger = std::make_unique<T[]>(capacity);
    for (std::size_t i = 0; i < size_; ++i) larger[i] = std::move((*this)[i]);
    places_ = std::move(larger);
    capacity_ = capacity;
    first_ = 0;
  }

  std::unique_ptr<T[]> places_;
  std::uint32_t capacity_ = 0;
  std::uint32_t first_ = 0;
  std::uint32_t size_ = 0;
};

}  // namespace mooring::session
