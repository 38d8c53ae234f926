// PresenceRecorder: writes devices' coming and going into the registry. One per loop.
#pragma once

#include "base/log.h"
#include "broker/ports.h"
#include "registry/registry_service.h"

namespace mooring::server {

class PresenceRecorder final : public broker::PresenceListener {
 public:
  explicit PresenceRecorder(registry::RegistryService& registry) : registry_(registry) {}
  void on_online(const broker::Client& client, base::WallMs at_ms) override;
  void on_offline(const broker::Client& client, base::WallMs at_ms, broker::OfflineReason reason) override;

 private:
  registry::RegistryService& registry_;
};

}  // namespace mooring::server
