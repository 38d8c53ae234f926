// LiveDoor: what the server tells of itself while it runs: /api/v1/statistics and /api/v1/events. Called on every loop,
// for whoever was found to be at least a viewer; thread-safe.
#pragma once

#include <functional>
#include <string>

#include "api/caller.h"
#include "http/handler.h"
#include "web/event_hub.h"
#include "web/statistics_port.h"

namespace mooring::web {

class LiveDoor {
 public:
  LiveDoor(const StatisticsPort& statistics, EventHub& hub) : statistics_(statistics), hub_(hub) {}

  static bool is_for_live(std::string_view path);
  // `may_go_on` tells whether the caller still may listen; it is asked now and then on the main loop.
  void handle(const http::Request& request, const api::Caller& caller, std::function<bool()> may_go_on,
              const http::RequestSource& source, http::Respond respond);

 private:
  http::Response events(const http::Request& request, const api::Caller& caller, std::function<bool()> may_go_on,
                        const http::RequestSource& source);

  const StatisticsPort& statistics_;
  EventHub& hub_;
};

}  // namespace mooring::web
