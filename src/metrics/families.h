// Families: values by name and labels, written as Prometheus text (exposition format 0.0.4). Made anew for each answer
// from a snapshot of counters; one thread at a time. A name's help and kind are those of its first value.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "metrics/loop_counters.h"

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
  void histogram(const std::string& name, const std::string& help, const Histogram& values, const Labels& labels = {});
  // A sum of times and their number, without quantiles.
  void summary(const std::string& name, const std::string& help, double sum, std::uint64_t count,
               const Labels& labels = {});
  std::string text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mooring::metrics
