// StatisticsPort: what the running server tells of itself, as texts. Implemented by whoever gathers it; any thread.
#pragma once

#include <cstddef>
#include <string>

namespace mooring::web {

class StatisticsPort {
 public:
  static constexpr std::size_t kSamplesKept = 600;  // one for each second

  virtual ~StatisticsPort() = default;
  // {"interval":1,"items":[...]}: at most so many of the latest samples, the newest last.
  virtual std::string samples(std::size_t seconds) const = 0;
  // In the format that metrics::kTextType names.
  virtual std::string prometheus_text() const = 0;
};

}  // namespace mooring::web
