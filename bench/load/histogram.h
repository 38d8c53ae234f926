// Histogram: durations of up to 2^40 ns (18 minutes), each kept with an error under one percent, in the manner of an
// HDR histogram: buckets of equal width within each power of two. Adding costs a few instructions.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mooring::bench {

class Histogram {
 public:
  void add(std::int64_t duration_ns) {
    const auto value = static_cast<std::uint64_t>(std::clamp<std::int64_t>(duration_ns, 0, kLargest));
    max_ns_ = std::max(max_ns_, static_cast<std::int64_t>(value));
    ++counts_[bucket(value)];
    ++total_;
  }
  std::uint64_t total() const { return total_; }
  // The upper edge of the bucket that the share falls into, not above the largest value seen; 0 when empty.
  double quantile_us(double share) const {
    const double wanted = share * static_cast<double>(total_);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size() && total_ > 0; ++i) {
      seen += counts_[i];
      if (seen > 0 && static_cast<double>(seen) >= wanted) {
        return static_cast<double>(std::min<std::int64_t>(upper_edge(i), max_ns_)) / 1e3;
      }
    }
    return max_us();
  }
  double max_us() const { return static_cast<double>(max_ns_) / 1e3; }

  // For one that another process has filled.
  std::int64_t max_ns() const { return max_ns_; }
  std::span<const std::uint64_t> counts() const { return counts_; }
  void merge(std::span<const std::uint64_t> counts, std::int64_t max_ns) {
    for (std::size_t i = 0; i < counts_.size() && i < counts.size(); ++i) {
      counts_[i] += counts[i];
      total_ += counts[i];
    }
    max_ns_ = std::max(max_ns_, max_ns);
  }

 private:
  static constexpr unsigned kBits = 7;  // 128 buckets for each power of two
  static constexpr unsigned kLargestBits = 40;
  static constexpr std::int64_t kLargest = (std::int64_t{1} << kLargestBits) - 1;

 public:
  static constexpr std::size_t kBuckets = std::size_t{kLargestBits - kBits + 1} << kBits;

 private:
  static std::size_t bucket(std::uint64_t value) {
    if (value >> kBits == 0) return static_cast<std::size_t>(value);
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - kBits - 1;
    return (std::size_t{shift} << kBits) + static_cast<std::size_t>(value >> shift);
  }
  static std::int64_t upper_edge(std::size_t index) {
    if (index >> (kBits + 1) == 0) return static_cast<std::int64_t>(index);
    const std::size_t shift = (index >> kBits) - 1;
    const auto mantissa = static_cast<std::int64_t>(index - (shift << kBits));
    return ((mantissa + 1) << shift) - 1;
  }

  std::vector<std::uint64_t> counts_ = std::vector<std::uint64_t>(kBuckets);
  std::uint64_t total_ = 0;
  std::int64_t max_ns_ = 0;
};

}  // namespace mooring::bench
