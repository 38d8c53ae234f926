// PresenceRecorder: writes devices' coming and going into the registry, and what happens to them into the device log.
// One per loop.
#pragma once

#include "base/log.h"
#include "broker/ports.h"
#include "journal/device_log.h"
#include "registry/registry_service.h"

namespace mooring::server {

class PresenceRecorder final : public broker::PresenceListener {
 public:
  PresenceRecorder(registry::RegistryService& registry, journal::DeviceLog& log) : registry_(registry), log_(log) {}
  void on_online(const broker::Client& client, base::WallMs at_ms) override;
  void on_offline(const broker::Client& client, base::WallMs at_ms, broker::OfflineReason reason) override;
  void on_incident(const base::DeviceKey& device, const broker::Client* client,
                   const broker::Incident& incident) override;

 private:
  registry::RegistryService& registry_;
  journal::DeviceLog& log_;
};

}  // namespace mooring::server
