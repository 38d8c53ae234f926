#include "server/live_sessions.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <mutex>
#include <optional>
#include <unordered_set>
#include <utility>

#include "base/log.h"

namespace mooring::server {
namespace {

constexpr auto kAnswerWait = std::chrono::seconds(2);
constexpr std::size_t kTicketsAtOnce = 1000;

// One question to all loops: the first "yes" or the last "no" is the answer.
struct Poll {
  base::UniqueFunction<bool(LoopWorker&)> question;
  std::promise<bool> answer;
  std::atomic<std::size_t> left{0};
  std::atomic<bool> answered{false};
};

}  // namespace

bool LiveSessions::ask_all(base::UniqueFunction<bool(LoopWorker&)> question) {
  auto poll = std::make_shared<Poll>();
  poll->question = std::move(question);
  poll->left = workers_.size();
  std::future<bool> answer = poll->answer.get_future();
  for (LoopWorker* worker : workers_) {
    worker->loop().post([poll, worker] {
      const bool yes = poll->question(*worker);
      const bool last = poll->left.fetch_sub(1) == 1;
      if ((yes || last) && !poll->answered.exchange(true)) poll->answer.set_value(yes);
    });
  }
  return answer.wait_for(kAnswerWait) == std::future_status::ready && answer.get();
}

bool LiveSessions::kick(const base::DeviceKey& key) {
  return ask_all([key](LoopWorker& worker) { return worker.broker().close_device(key, broker::CloseCause::kKicked); });
}

bool LiveSessions::is_online(const base::DeviceKey& key) {
  return ask_all([key](LoopWorker& worker) { return worker.broker().is_online(key); });
}

base::Result<std::vector<journal::FlightEntry>> LiveSessions::flight(const std::string& key) {
  struct Found {
    std::mutex mutex;
    std::vector<journal::FlightEntry> entries;
  };
  auto found = std::make_shared<Found>();
  ask_all([found, key](LoopWorker& worker) {
    auto entries = worker.flights().read(key);
    if (entries.empty()) return false;
    const std::lock_guard lock(found->mutex);
    found->entries = std::move(entries);
    return true;
  });
  const std::lock_guard lock(found->mutex);
  return std::move(found->entries);
}

void LiveSessions::on_changes(std::span<const registry::Change> changes) {
  using Kind = registry::Change::Kind;
  bool deleted = false;
  std::unordered_set<std::string> revoked;
  const bool whole_product = std::any_of(changes.begin(), changes.end(), [](const registry::Change& change) {
    return change.kind == Kind::kProductDeleted;
  });
  for (const registry::Change& change : changes) {
    // Devices that go with their product are closed with it, all in one go.
    if (!whole_product || change.kind != Kind::kDeviceDeleted) on_change(change);
    tell_gateways(change);
    if (change.kind == Kind::kTicketRevoked) revoked.insert(change.ticket);
    deleted = deleted || change.kind == Kind::kDeviceDeleted || change.kind == Kind::kProductDeleted;
  }
  if (!revoked.empty()) close_tickets(revoked);
  tell_life_cycles(changes);
  if (deleted) deleted_->drain();
}

LoopWorker& LiveSessions::home_of(const base::DeviceKey& device) const {
  const auto loops = static_cast<session::LoopId>(workers_.size() - 1);  // the last one is the administration's
  return *workers_[session::device_home_loop(device.product_key, device.device_name, loops)];
}

// What a change of a child means for its gateway (platform.md 7.2, 7.6), behind what it meant for the child.
void LiveSessions::tell_gateways(const registry::Change& change) {
  using Kind = registry::Change::Kind;
  using ChildChange = things::Services::ChildChange;
  if (workers_.empty()) return;
  if (change.kind == Kind::kTopologyChanged && !change.former_gateway.device_name.empty()) {
    LoopWorker* const of_gateway = &home_of(change.former_gateway);
    LoopWorker* const of_child = &home_of(change.key);
    for (LoopWorker* worker : {of_child, of_gateway}) {
      worker->loop().post([worker, child = change.key, former = change.former_gateway] {
        worker->things().topology_gone(child, former);
      });
      if (of_child == of_gateway) return;
    }
    return;
  }
  if (change.gateway.device_name.empty()) return;
  std::optional<ChildChange> what;
  if (change.kind == Kind::kDeviceEnabled) what = ChildChange::kEnabled;
  if (change.kind == Kind::kDeviceDisabled) what = ChildChange::kDisabled;
  if (change.kind == Kind::kDeviceDeleted) what = ChildChange::kDeleted;
  if (!what) return;
  LoopWorker* const worker = &home_of(change.gateway);
  worker->loop().post([worker, gateway = change.gateway, child = change.key, change = *what] {
    worker->things().child_changed(gateway, child, change);
  });
}

void LiveSessions::close_tickets(const std::unordered_set<std::string>& ids) {
  for (LoopWorker* worker : workers_) {
    worker->loop().post([worker, ids] { worker->close_tickets(ids); });
  }
}

// What ended while no server ran: expired, revoked, or gone with its holder.
void LiveSessions::end_dead_tickets(std::vector<std::string> ids, base::WallMs now_ms) {
  if (ids.empty()) return;
  const std::size_t taken = std::min(ids.size(), kTicketsAtOnce);
  std::vector<std::string> some(ids.end() - static_cast<std::ptrdiff_t>(taken), ids.end());
  ids.resize(ids.size() - taken);
  using Dead = std::unordered_set<std::string>;
  registry_.run_read<Dead>(
      [some = std::move(some), now_ms](registry::Registry& registry) -> base::Result<Dead> {
        Dead dead;
        for (const std::string& id : some) {
          const auto ticket = registry.find_ticket(id);
          if (!ticket) return tl::unexpected(ticket.error());
          if (!*ticket || (*ticket)->revoked_ms != 0 || (*ticket)->expires_ms <= now_ms) dead.insert(id);
        }
        return dead;
      },
      workers_.back()->loop(),
      [this, now_ms, left = std::move(ids)](base::Result<Dead> dead) mutable {
        if (!dead) {
          base::log_error("server", "cannot look for tickets that ended: {}", dead.error().message);
        } else if (!dead->empty()) {
          close_tickets(*dead);
        }
        end_dead_tickets(std::move(left), now_ms);
      });
}

namespace {

std::optional<broker::LifeCycleEvent::Action> life_cycle_of(registry::Change::Kind kind) {
  using Kind = registry::Change::Kind;
  using Action = broker::LifeCycleEvent::Action;
  switch (kind) {
    case Kind::kDeviceCreated:
      return Action::kCreate;
    case Kind::kDeviceDeleted:
      return Action::kDelete;
    case Kind::kDeviceEnabled:
      return Action::kEnable;
    case Kind::kDeviceDisabled:
      return Action::kDisable;
    default:
      return std::nullopt;
  }
}

}  // namespace

// On each device's home loop, where its connection has been closed by then: nothing of a device comes after "delete",
// and it is offline before it is said to be disabled (connection.md 14).
void LiveSessions::tell_life_cycles(std::span<const registry::Change> changes) {
  if (workers_.empty()) return;
  const auto loops = static_cast<session::LoopId>(workers_.size() - 1);  // the last one is the administration's
  std::vector<std::vector<broker::LifeCycleEvent>> of_loop(loops);
  for (const registry::Change& change : changes) {
    const auto action = life_cycle_of(change.kind);
    if (!action) continue;
    const auto home = session::device_home_loop(change.key.product_key, change.key.device_name, loops);
    of_loop[home].push_back({*action, change.key, change.iot_id, change.device_secret});
  }
  for (session::LoopId home = 0; home < loops; ++home) {
    if (of_loop[home].empty()) continue;
    workers_[home]->loop().post([worker = workers_[home], events = std::move(of_loop[home])]() mutable {
      worker->tell_life_cycles(std::move(events));
    });
  }
}

void LiveSessions::on_change(const registry::Change& change) {
  using Kind = registry::Change::Kind;
  switch (change.kind) {
    case Kind::kProductCreated:
    case Kind::kProductChanged:
    case Kind::kProductDeleted:
      on_product_change(change);
      return;
    case Kind::kDeviceCreated:
    case Kind::kDeviceChanged:
    case Kind::kDeviceEnabled:
    case Kind::kDeviceDisabled:
    case Kind::kDeviceDeleted:
    case Kind::kDeviceCertificateGone:
    case Kind::kTopologyChanged:  // part of what is known of the child
      on_device_change(change);
      return;
    case Kind::kAccountCreated:
    case Kind::kAccountPermissionsChanged:
    case Kind::kAccountPasswordChanged:
    case Kind::kAccountDeleted:
      on_account_change(change);
      return;
    case Kind::kCertificatesRevoked:
      for (LoopWorker* worker : workers_) {
        worker->loop().post([worker, revoked = change.revoked] { worker->close_certificates(*revoked); });
      }
      return;
    case Kind::kTicketRevoked:  // all of a batch together, in on_changes()
    case Kind::kDeviceReset:    // the registration looks for itself
    case Kind::kApiTokenCreated:
    case Kind::kApiTokenDeleted:
    case Kind::kAuthoritiesChanged:  // for DeviceTrust
    case Kind::kUserChanged:         // for the session book, like the next
    case Kind::kUserDeleted:
      return;
  }
}

void LiveSessions::on_product_change(const registry::Change& change) {
  using Kind = registry::Change::Kind;
  for (LoopWorker* worker : workers_) {
    worker->loop().post([worker, kind = change.kind, pk = change.key.product_key] {
      if (kind == Kind::kProductChanged) {
        worker->reload_product(pk);
        return;
      }
      worker->sign_in().cache().forget_product(pk);
      if (kind == Kind::kProductCreated) return;
      worker->broker().close_product(pk);
      worker->close_tickets_of_product(pk);
    });
  }
}

void LiveSessions::on_device_change(const registry::Change& change) {
  using Kind = registry::Change::Kind;
  for (LoopWorker* worker : workers_) {
    worker->loop().post([worker, key = change.key, certificate = change.kind == Kind::kDeviceCertificateGone] {
      worker->sign_in().cache().forget(key);
      if (certificate) worker->sign_in().certificates_changed();
    });
  }
  if (change.kind == Kind::kDeviceDisabled) close_everywhere(change.key, broker::CloseCause::kDisabled);
  if (change.kind == Kind::kDeviceCertificateGone) close_everywhere(change.key, broker::CloseCause::kKicked);
  if (change.kind == Kind::kDeviceDeleted) close_everywhere(change.key, broker::CloseCause::kDeleted);
}

void LiveSessions::on_account_change(const registry::Change& change) {
  using Kind = registry::Change::Kind;
  if (change.kind == Kind::kAccountPermissionsChanged) {
    for (LoopWorker* worker : workers_) {
      worker->loop().post([worker, name = change.account] { worker->reload_account(name); });
    }
    return;
  }
  for (LoopWorker* worker : workers_) {
    worker->loop().post([worker, kind = change.kind, name = change.account] {
      if (kind == Kind::kAccountCreated) {
        worker->forget_account(name);
      } else {
        // Whoever knows the old password is to be gone.
        const bool deleted = kind == Kind::kAccountDeleted;
        worker->close_account(name, deleted ? broker::CloseCause::kDeleted : broker::CloseCause::kKicked);
      }
    });
  }
}

void LiveSessions::close_everywhere(const base::DeviceKey& device, broker::CloseCause cause) {
  for (LoopWorker* worker : workers_) {
    worker->loop().post([worker, device, cause] {
      worker->broker().close_device(device, cause);
      worker->close_tickets_of_device(device, cause);
    });
  }
}

}  // namespace mooring::server
