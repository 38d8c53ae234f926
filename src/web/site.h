// Site: the answers to HTTP requests that are not WebSocket upgrades: health, root certificate, landing page, console,
// metrics, and the admin API behind its door. Called on every loop; immutable but for the readiness flag.
#pragma once

#include <atomic>
#include <string>

#include "http/handler.h"
#include "web/api_door.h"
#include "web/console_files.h"
#include "web/statistics_port.h"

namespace mooring::web {

class Site final : public http::Handler {
 public:
  // `root_pem` is empty when there is no built-in authority.
  Site(ApiDoor& door, std::string root_pem);

  void set_statistics(const StatisticsPort& statistics) { statistics_ = &statistics; }  // before the first request
  void set_ready(bool ready) { ready_.store(ready, std::memory_order_relaxed); }
  void handle(http::Request request, const http::RequestSource& source, http::Respond respond) override;
  std::optional<std::size_t> body_bytes_max(const http::Request& head,
                                            const http::RequestSource& source) const override;

 private:
  http::Response metrics(const http::Request& request, const http::RequestSource& source) const;
  http::Response page(const http::Request& request) const;

  ApiDoor& door_;
  const std::string root_pem_;
  const ConsoleFiles console_{console_bundle()};
  const StatisticsPort* statistics_ = nullptr;
  std::atomic<bool> ready_{false};
};

}  // namespace mooring::web
