// LoopWorker: one event loop with everything that lives on it. Made by the main thread; from start() on its parts
// belong to the loop's thread and are reached through loop().post().
#pragma once

#include <memory>
#include <thread>
#include <unordered_set>

#include "auth/connect_limiter.h"
#include "cluster/local_bus.h"
#include "deviceapi/device_api.h"
#include "gateway/gateway.h"
#include "http/handler.h"
#include "journal/device_log.h"
#include "journal/flight.h"
#include "registry/registry_service.h"
#include "routing/retained_messages.h"
#include "server/latest_rules.h"
#include "server/options.h"
#include "server/portions.h"
#include "server/presence_recorder.h"
#include "server/reloader.h"
#include "server/turn_end_bus.h"
#include "session/ports.h"
#include "things/services.h"

namespace mooring::server {

// What all loops share. Outlives them.
struct SharedParts {
  registry::RegistryService& registry;
  session::SessionDirectory& directory;
  session::SessionStore& store;
  routing::RetainedMessages& retained;
  cluster::LocalCluster& cluster;
  auth::ConnectLimiter& limiter;
  auth::PasswordChecker& passwords;
  gateway::ConnectionBudget& budget;
  http::Handler& http_handler;
  const base::Clock& clock;
  gateway::LoopSwitch& loop_switch;
  broker::InstanceRates& rates;
  journal::DeviceLog& log;
  session::LoopId device_loops;  // loops 0 .. device_loops-1 are homes of sessions
  std::string token_key;         // auth/server_token.h; a secret
  deviceapi::PublishPort& publisher;
  const things::ChildHosts& child_hosts;
};

// What a loop tells of itself.
struct LoopReport {
  broker::BrokerCounters counters;
  metrics::LoopCounters gateway;
  std::int64_t busy_ms = 0;
  std::uint64_t wake_ups = 0;
  cluster::LocalCluster::Arrivals arrivals;
  std::uint64_t sessions = 0;
  std::uint64_t subscriptions = 0;  // devices' own ones not counted
  session::QueueTotals queued;

  LoopReport& operator+=(const LoopReport& other);
};

// The loop's idea of now, without a system call; the wall's is the machine's.
class LoopClock final : public base::Clock {
 public:
  LoopClock(const net::Loop& loop, const base::Clock& machine) : loop_(loop), machine_(machine) {}
  base::MonoMs mono_ms() const override { return loop_.now_ms(); }
  base::WallMs wall_ms() const override { return machine_.wall_ms(); }

 private:
  const net::Loop& loop_;
  const base::Clock& machine_;
};

class LoopWorker final : private net::Timer {
 public:
  LoopWorker(std::unique_ptr<net::Loop> loop, std::uint16_t id, const SharedParts& shared, const Options& options);
  ~LoopWorker() override;

  net::Loop& loop() { return *loop_; }
  broker::Broker& broker() { return broker_; }
  gateway::Gateway& gateway() { return gateway_; }
  gateway::DeviceSignIn& sign_in() { return sign_in_; }
  things::Services& things() { return services_; }
  const journal::FlightRecorder& flights() const { return flights_; }  // on the loop's thread

  // On the loop's thread: permissions of an account, or a product, have changed; the registry is asked for them.
  void reload_account(const std::string& name) { accounts_.changed(name); }
  void reload_product(const std::string& product_key) { products_.changed(product_key); }
  // On the loop's thread: what a change of an account means here.
  void forget_account(const std::string& name);
  void close_account(const std::string& name, broker::CloseCause cause);  // with forget_account
  void update_account(const registry::Account& account);
  // On the loop's thread: certificates are not good any more.
  void close_certificates(const registry::RevokedCertificates& revoked);
  // On the loop's thread: what changes mean for tickets.
  void close_tickets(const std::unordered_set<std::string>& ids);  // they were revoked
  void close_tickets_of_device(const base::DeviceKey& device, broker::CloseCause cause);
  void close_tickets_of_account(const std::string& account, broker::CloseCause cause);
  void close_tickets_of_product(const std::string& product_key);
  void narrow_tickets_of_product(const std::string& product_key);
  // On the loop's thread: the product's topic classes changed.
  void update_product(const registry::Product& product);
  // On the loop's thread: tells back ends, some events a turn.
  void tell_life_cycles(std::vector<broker::LifeCycleEvent> events) { life_cycles_.add(std::move(events)); }

  void run();    // on the calling thread, until the loop is stopped
  void start();  // on a thread of its own
  void join();
  // After join() of all workers, before the first is destroyed: nothing here speaks to another loop from now on.
  void let_go();
  // All sessions are back: what that told other loops goes out. Before start().
  void restored() { bus_.flush(); }
  LoopReport report() const;  // on the loop's thread
  // The rules under which a stored session is restored.
  const broker::ClientRules& rules_of(const session::SessionRecord& record) const;
  // The rules of devices; `standard`: of products with profile mqtt.
  const broker::ClientRules& device_rules(bool standard) const {
    return standard ? mqtt_.standard_device.rules : mqtt_.device.rules;
  }
  // On the loop's thread: settings that a reload may change, for connections to come.
  void apply(const Options& options);

 private:
  void on_timer(base::MonoMs now) override;
  using IsMeantTicket = std::function<bool(const gateway::TicketAuthorizer&)>;
  void close_tickets(const IsMeantTicket& is_meant, broker::CloseCause cause);
  void narrow_tickets(const IsMeantTicket& is_meant);
  struct Narrowed;
  void narrow(const Narrowed& one);
  void ask_for_account(const std::string& name, base::UniqueFunction<void()> answered);
  void ask_for_product(const std::string& product_key, base::UniqueFunction<void()> answered);
  void keep_wall_offset() { flights_.set_wall_offset(clock_.wall_ms() - clock_.mono_ms()); }

  std::unique_ptr<net::Loop> loop_;
  cluster::LocalCluster& cluster_;
  registry::RegistryService& registry_;
  Reloader accounts_;
  Reloader products_;
  std::unordered_set<std::string> unread_products_;  // changed, and the registry failed: asked for again
  const std::uint16_t id_;
  const std::string token_key_;
  const LoopClock clock_;
  PresenceRecorder presence_;
  TurnEndBus bus_;
  broker::Broker broker_;
  Portions<broker::LifeCycleEvent> life_cycles_;
  // Devices whose product has other topic classes by now.
  struct Narrowed {
    base::DeviceKey device;
    std::shared_ptr<const gateway::ProductRules> product;
  };
  LatestRules narrowing_;
  Portions<Narrowed> narrowed_;
  gateway::DeviceSignIn sign_in_;
  gateway::AccountSignIn account_sign_in_;
  gateway::TicketSignIn ticket_sign_in_;
  journal::FlightRecorder flights_;
  gateway::MqttServices mqtt_;
  things::Services services_;
  deviceapi::DeviceApi device_api_;
  gateway::HttpServices http_;
  gateway::Gateway gateway_;
  std::thread thread_;
};

}  // namespace mooring::server
