// Ring: a first-in-first-out queue in one block of memory that grows by doubling and holds nothing while empty and new.
// (libstdc++'s deque takes more than 500 bytes even when empty.) T must be default constructible and movable; a place
// that becomes free is reset to T(). One thread. Not bounded: the owner is.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace mooring::session {

template <class T>
class Ring {
 public:
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
    if (size_ == places_.size()) grow();
    return places_[wrap(first_ + size_++)];
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
    first_ = wrap(first_ + 1);
    size_ -= 1;
  }

  // Of an empty ring: gives back what a burst needed.
  void free_if_large() {
    if (places_.size() > kKeptPlaces) clear();
  }

  void clear() {
    places_.clear();
    places_.shrink_to_fit();
    first_ = size_ = 0;
  }

  // Keeps the order of the others. Cheap near the front, which is where it happens.
  void erase(std::size_t index) {
    MOORING_ASSERT(index < size_);
    for (; index > 0; --index) (*this)[index] = std::move((*this)[index - 1]);
    drop_front();
  }

 private:
  static constexpr std::size_t kKeptPlaces = 16;
  static constexpr std::size_t kFirstPlaces = 4;  // a power of two, as are all sizes after it

  std::size_t wrap(std::size_t index) const { return index & (places_.size() - 1); }

  void grow() {
    std::vector<T> larger(places_.empty() ? kFirstPlaces : places_.size() * 2);
    for (std::size_t i = 0; i < size_; ++i) larger[i] = std::move((*this)[i]);
    places_ = std::move(larger);
    first_ = 0;
  }

  std::vector<T> places_;
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

}  // namespace mooring::session
