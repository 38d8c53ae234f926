// Site: the answers to HTTP requests that are not WebSocket upgrades: health, root certificate, landing page, and, over
// the local socket, the admin API. Called on every loop; immutable but for the readiness flag.
#pragma once

#include <atomic>
#include <string>

#include "api/admin_service.h"
#include "http/handler.h"
#include "registry/registry_service.h"

namespace mooring::server {

class Site final : public http::Handler {
 public:
  // `root_pem` is empty when there is no built-in authority.
  Site(registry::RegistryService& registry, api::SessionControl& sessions, std::string root_pem);

  void set_ready(bool ready) { ready_.store(ready, std::memory_order_relaxed); }
  void handle(http::Request request, const http::RequestSource& source, http::Respond respond) override;

 private:
  http::Response page(const http::Request& request) const;
  void administer(http::Request request, base::Executor& executor, http::Respond respond);

  registry::RegistryService& registry_;
  api::SessionControl& sessions_;
  const std::string root_pem_;
  std::atomic<bool> ready_{false};
};

}  // namespace mooring::server
