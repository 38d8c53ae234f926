// LiveSessions: what administration and registry changes mean for the sessions on the loops. Thread-safe.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "api/admin_service.h"
#include "registry/registry_service.h"
#include "server/deleted_sessions.h"
#include "server/loop_worker.h"

namespace mooring::server {

class LiveSessions final : public api::SessionControl, public api::FlightSource {
 public:
  explicit LiveSessions(registry::RegistryService& registry) : registry_(registry) {}
  // Once at start, before any call.
  void set_parts(std::vector<LoopWorker*> workers, DeletedSessions& deleted) {
    workers_ = std::move(workers);
    deleted_ = &deleted;
  }

  // api::SessionControl, on a registry thread; waits for the loops, at most two seconds.
  bool kick(const base::DeviceKey& key) override;
  bool is_online(const base::DeviceKey& key) override;
  // api::FlightSource, likewise.
  base::Result<std::vector<journal::FlightEntry>> flight(const std::string& key) override;

  // Sessions were restored for these tickets; ends those of tickets that are no more. Once at start.
  void end_dead_tickets(std::vector<std::string> ids, base::WallMs now_ms);

  // A registry::ChangeListener, on the registry's writer thread.
  void on_changes(std::span<const registry::Change> changes);

 private:
  void on_change(const registry::Change& change);
  void tell_gateways(const registry::Change& change);
  LoopWorker& home_of(const base::DeviceKey& device) const;
  void tell_life_cycles(std::span<const registry::Change> changes);
  void on_product_change(const registry::Change& change);
  void on_device_change(const registry::Change& change);
  void on_account_change(const registry::Change& change);
  bool ask_all(base::UniqueFunction<bool(LoopWorker&)> question);
  void close_everywhere(const base::DeviceKey& device, broker::CloseCause cause);
  void close_tickets(const std::unordered_set<std::string>& ids);

  registry::RegistryService& registry_;
  std::vector<LoopWorker*> workers_;
  DeletedSessions* deleted_ = nullptr;
};

}  // namespace mooring::server
