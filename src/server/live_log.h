// LiveLog: passes on what is reported to the device log, tells whoever listens live, and counts refusals by their
// cause. Any thread. `next` outlives it; the hub is taken from it before it ends.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "journal/device_log.h"
#include "web/event_hub.h"

namespace mooring::server {

class LiveLog final : public journal::DeviceLog {
 public:
  explicit LiveLog(journal::DeviceLog& next) : next_(next) {}
  void set_hub(web::EventHub* hub) { hub_.store(hub, std::memory_order_release); }
  web::EventHub* hub() const { return hub_.load(std::memory_order_acquire); }  // null: not yet
  void record(journal::Event event) override;
  std::vector<std::pair<std::string, std::uint64_t>> refusals() const;  // by name

 private:
  static constexpr std::size_t kCausesMax = 200;
  void count_refusal(std::string_view name);

  journal::DeviceLog& next_;
  std::atomic<web::EventHub*> hub_{nullptr};
  mutable std::mutex mutex_;  // of refusals_
  std::vector<std::pair<std::string, std::uint64_t>> refusals_;
};

}  // namespace mooring::server
