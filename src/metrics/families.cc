#include "metrics/families.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>

namespace mooring::metrics {
namespace {

prometheus::ClientMetric with_labels(const Families::Labels& labels) {
  prometheus::ClientMetric metric;
  for (const auto& [name, value] : labels) metric.label.push_back({name, value});
  return metric;
}

}  // namespace

struct Families::Impl {
  std::vector<prometheus::MetricFamily> families;

  void add(const std::string& name, const std::string& help, prometheus::MetricType type,
           prometheus::ClientMetric metric) {
    auto found = std::ranges::find(families, name, &prometheus::MetricFamily::name);
    if (found == families.end()) {
      families.push_back({name, help, type, {}});
      found = std::prev(families.end());
    }
    found->metric.push_back(std::move(metric));
  }
};

Families::Families() : impl_(std::make_unique<Impl>()) {}
Families::~Families() = default;

void Families::counter(const std::string& name, const std::string& help, double value, const Labels& labels) {
  auto metric = with_labels(labels);
  metric.counter.value = value;
  impl_->add(name, help, prometheus::MetricType::Counter, std::move(metric));
}

void Families::gauge(const std::string& name, const std::string& help, double value, const Labels& labels) {
  auto metric = with_labels(labels);
  metric.gauge.value = value;
  impl_->add(name, help, prometheus::MetricType::Gauge, std::move(metric));
}

void Families::add_histogram(const std::string& name, const std::string& help, const Intervals& values,
                             const Labels& labels) {
  const auto seconds = [&](auto number) {
    return static_cast<double>(number) / static_cast<double>(values.per_second);
  };
  auto metric = with_labels(labels);
  std::uint64_t so_far = 0;
  for (std::size_t i = 0; i < values.counts.size(); ++i) {
    so_far += values.counts[i];
    const bool last = i == values.bounds.size();
    metric.histogram.bucket.push_back(
        {so_far, last ? std::numeric_limits<double>::infinity() : seconds(values.bounds[i])});
  }
  metric.histogram.sample_count = so_far;
  metric.histogram.sample_sum = seconds(values.sum);
  impl_->add(name, help, prometheus::MetricType::Histogram, std::move(metric));
}

std::string Families::text() const {
  return prometheus::TextSerializer().Serialize(impl_->families);
}

}  // namespace mooring::metrics
