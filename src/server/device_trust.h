// DeviceTrust: brings changes of the private authorities from the registry to the TLS contexts, and warns of
// certificates that end soon, at the start and daily. Lives on the main thread's loop.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "net/timer_wheel.h"
#include "registry/registry_service.h"
#include "server/loop_worker.h"

namespace mooring::server {

class DeviceTrust final : private net::Timer {
 public:
  static constexpr base::MonoMs kCheckMs = 24LL * 3600 * 1000;

  // `use` gets the authorities as PEM, on the loop of `home`.
  using Use = std::function<void(std::vector<std::string> authorities)>;
  DeviceTrust(registry::RegistryService& registry, LoopWorker& home, const base::Clock& clock, Use use)
      : registry_(registry), home_(home), clock_(clock), use_(std::move(use)) {}
  ~DeviceTrust() override { cancel(); }

  // Checks now and daily from now on.
  void start(std::uint32_t warning_days);
  // A registry::ChangeListener, on the registry's writer thread.
  void on_changes(std::span<const registry::Change> changes);

  static std::vector<std::string> pem_of(const std::vector<registry::Authority>& authorities);

 private:
  void refresh();
  void check();
  void on_timer(base::MonoMs now) override;

  registry::RegistryService& registry_;
  LoopWorker& home_;
  const base::Clock& clock_;
  const Use use_;
  std::uint32_t warning_days_ = 0;
  bool busy_ = false;  // an answer is under way; asked again meanwhile, it is asked for once more
  bool asked_again_ = false;
};

}  // namespace mooring::server
