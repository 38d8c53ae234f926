#include "server/live_log.h"

#include <algorithm>

namespace mooring::server {

void LiveLog::record(journal::Event event) {
  if (event.action == journal::Action::kRefused || event.action == journal::Action::kRegistrationRefused) {
    count_refusal(event.name);
  }
  web::EventHub* to = hub();
  if (to == nullptr || !to->has_device_readers()) {
    next_.record(std::move(event));
    return;
  }
  web::EventHub::DeviceNote note{event.device, event.action, event.at_ms, event.address};
  next_.record(std::move(event));
  to->note_device(std::move(note));
}

void LiveLog::count_refusal(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto found =
      std::ranges::find(refusals_, name, [](const auto& entry) { return std::string_view(entry.first); });
  if (found != refusals_.end()) {
    ++found->second;
  } else if (refusals_.size() < kCausesMax) {
    refusals_.emplace_back(std::string(name), 1);
  }
}

std::vector<std::pair<std::string, std::uint64_t>> LiveLog::refusals() const {
  const std::lock_guard lock(mutex_);
  return refusals_;
}

}  // namespace mooring::server
