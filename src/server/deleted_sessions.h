// DeletedSessions: erases what the session store keeps for devices that are gone.
//
// The registry remembers every deletion, also one made while no server ran or one of a whole product. This takes them
// from there in batches, has the sessions forgotten and confirms them, until none is left. A device that was made again
// under a deleted one's name has another life and with it another session key, so this never touches it, whatever the
// order of things; until its turn comes a forgotten record is merely room taken.
//
// Lives on the loop of one worker (`home`); destroy it when no loop runs any more.
#pragma once

#include <cstddef>
#include <vector>

#include "net/timer_wheel.h"
#include "registry/registry_service.h"
#include "server/loop_worker.h"

namespace mooring::server {

class DeletedSessions final : private net::Timer {
 public:
  static constexpr std::size_t kBatchDevices = 1000;  // bounds memory and the store's queue however much is deleted
  static constexpr base::MonoMs kRetryMs = 5000;      // after the store or the registry failed

  // `workers`: all, `home` among them.
  DeletedSessions(registry::RegistryService& registry, LoopWorker& home, std::vector<LoopWorker*> workers)
      : registry_(registry), home_(home), workers_(std::move(workers)) {}
  ~DeletedSessions() override { cancel(); }

  // Something was deleted, or may have been. Thread-safe, returns at once.
  void drain();

 private:
  using Devices = std::vector<registry::DeletedDevice>;
  struct Batch;

  void fetch();
  void wait_for_loops(Devices devices);
  void forget(Devices devices);
  void confirm(Batch& batch);
  void on_timer(base::MonoMs now) override;
  void retry_later();

  registry::RegistryService& registry_;
  LoopWorker& home_;
  const std::vector<LoopWorker*> workers_;
  // On the home loop.
  bool busy_ = false;
  bool asked_again_ = false;
};

}  // namespace mooring::server
