// Histogram: how many times fell into each interval. Plain numbers of one thread, without atomics.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace mooring::metrics {

// `Scale` has kPerSecond, the unit of what is observed, and kBounds, the upper ends of the intervals in that unit.
template <class Scale>
struct BasicHistogram {
  static constexpr const auto& kBounds = Scale::kBounds;
  static constexpr std::int64_t kPerSecond = Scale::kPerSecond;
  std::array<std::uint64_t, Scale::kBounds.size() + 1> counts{};  // the last one is above every bound
  std::uint64_t sum = 0;

  void observe(std::int64_t value, std::uint64_t times = 1) {
    std::size_t i = 0;
    while (i < kBounds.size() && value > kBounds[i]) ++i;
    counts[i] += times;
    sum += value > 0 ? static_cast<std::uint64_t>(value) * times : 0;
  }
  BasicHistogram& operator+=(const BasicHistogram& other) {
    for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += other.counts[i];
    sum += other.sum;
    return *this;
  }
  bool operator==(const BasicHistogram&) const = default;
};

// What a loop's clock tells.
struct Milliseconds {
  static constexpr std::int64_t kPerSecond = 1000;
  static constexpr std::array<std::int64_t, 12> kBounds{1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000};
};
// Of work that is timed by itself.
struct Microseconds {
  static constexpr std::int64_t kPerSecond = 1'000'000;
  static constexpr std::array<std::int64_t, 15> kBounds{
      50, 100, 250, 500, 1000, 2500, 5000, 10'000, 25'000, 50'000, 100'000, 250'000, 500'000, 1'000'000, 5'000'000};
};
using Histogram = BasicHistogram<Milliseconds>;
using FineHistogram = BasicHistogram<Microseconds>;

}  // namespace mooring::metrics
