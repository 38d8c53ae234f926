// DeviceRegistration: a device that knows its product's secret asks for a credential of its own (connection.md section
// 10). The same for MQTT and HTTP. One per loop.
#pragma once

#include <string>

#include "auth/connect_limiter.h"
#include "auth/sign_in.h"
#include "base/clock.h"
#include "base/executor.h"
#include "registry/registry_service.h"

namespace mooring::gateway {

class DeviceRegistration {
 public:
  // `limiter` is shared by all loops.
  DeviceRegistration(registry::RegistryService& registry, auth::ConnectLimiter& limiter, base::Executor& executor,
                     const base::Clock& clock)
      : registry_(registry), limiter_(limiter), executor_(executor), clock_(clock) {}

  struct Issued {
    base::DeviceKey device;
    registry::Registration registration;  // secrets: not for the log
  };
  // `done` is called later on this loop. Refusals and registrations are counted here; whether the address or the device
  // has to wait was asked before.
  using Done = base::UniqueFunction<void(tl::expected<Issued, auth::Refusal>)>;
  void run(auth::RegistrationRequest request, std::string address, Done done);

  // Records that a token has signed in, so that no registration takes its place. Nobody waits for it.
  void mark_token_used(const base::DeviceKey& device, const std::string& client_id);

  // A product with so many devices gets no more by registration; 0 = no limit.
  void set_devices_max(std::uint64_t devices_max) { devices_max_ = devices_max; }

 private:
  void issue(auth::RegistrationRequest request, std::string address, Done done);
  void refuse(auth::RefusalReason reason, std::string_view address, const base::DeviceKeyView& device, Done& done);

  registry::RegistryService& registry_;
  auth::ConnectLimiter& limiter_;
  base::Executor& executor_;
  const base::Clock& clock_;
  std::uint64_t devices_max_ = 0;
};

}  // namespace mooring::gateway
