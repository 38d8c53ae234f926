// Families: values by name and labels, written as Prometheus text (exposition format 0.0.4). Made anew for each answer
// from a snapshot of counters; one thread at a time. A name's help and kind are those of its first value.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "metrics/histogram.h"

namespace mooring::metrics {

inline constexpr std::string_view kTextType = "text/plain; version=0.0.4; charset=utf-8";

class Families {
 public:
  using Labels = std::vector<std::pair<std::string, std::string>>;

  Families();
  ~Families();
  Families(const Families&) = delete;
  Families& operator=(const Families&) = delete;

  void counter(const std::string& name, const std::string& help, double value, const Labels& labels = {});
  void gauge(const std::string& name, const std::string& help, double value, const Labels& labels = {});
  // In seconds, as the name must say.
  template <class Scale>
  void histogram(const std::string& name, const std::string& help, const BasicHistogram<Scale>& values,
                 const Labels& labels = {}) {
    add_histogram(name, help, {values.counts, Scale::kBounds, Scale::kPerSecond, values.sum}, labels);
  }
  std::string text() const;

 private:
  struct Intervals {
    std::span<const std::uint64_t> counts;  // one more than bounds
    std::span<const std::int64_t> bounds;
    std::int64_t per_second;
    std::uint64_t sum;
  };
  void add_histogram(const std::string& name, const std::string& help, const Intervals& values, const Labels& labels);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mooring::metrics
