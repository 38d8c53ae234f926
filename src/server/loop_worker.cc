#include "server/loop_worker.h"

#include <unordered_map>
#include <utility>

#include "base/threads.h"
#include "gateway/authorizers.h"
#include "gateway/mqtt_websocket.h"
#include "registry/names.h"
#include "server/module_settings.h"
#include "server/standings.h"

namespace mooring::server {
namespace {

constexpr base::MonoMs kTickMs = 250;
constexpr std::size_t kLifeCyclesAtOnce = 1000;     // with subscribers some milliseconds
constexpr std::size_t kNarrowedAtOnce = 1000;       // likewise
constexpr std::size_t kPublicBodyBytes = 8 * 1024;  // nothing that strangers reach takes more, but a publish

gateway::MqttServices mqtt_services(broker::Broker& broker, gateway::DeviceSignIn& sign_in,
                                    gateway::AccountSignIn& account_sign_in, gateway::TicketSignIn& ticket_sign_in,
                                    journal::FlightRecorder& flights, const net::Loop& event_loop,
                                    const SharedParts& shared, session::LoopId loop) {
  gateway::MqttServices services{broker,       sign_in,    account_sign_in, ticket_sign_in,
                                 shared.clock, shared.log, flights,         event_loop};
  services.loop = loop;
  services.loops = shared.device_loops;
  return services;
}

}  // namespace

LoopWorker::LoopWorker(std::unique_ptr<net::Loop> loop, std::uint16_t id, const SharedParts& shared,
                       const Options& options)
    : loop_(std::move(loop)),
      cluster_(shared.cluster),
      registry_(shared.registry),
      accounts_([this](const std::string& name, base::UniqueFunction<void()> answered) {
        ask_for_account(name, std::move(answered));
      }),
      products_([this](const std::string& product_key, base::UniqueFunction<void()> answered) {
        ask_for_product(product_key, std::move(answered));
      }),
      id_(id),
      token_key_(shared.token_key),
      clock_(*loop_, shared.clock),
      presence_(shared.registry, shared.log),
      bus_(*loop_, shared.cluster.bus(id)),
      broker_({id, shared.device_loops, *loop_, clock_, shared.directory, shared.store, bus_, shared.retained,
               presence_, shared.rates, &services_}),
      life_cycles_(*loop_, kLifeCyclesAtOnce,
                   [this](broker::LifeCycleEvent& event) { broker_.tell_life_cycle(event); }),
      narrowed_(*loop_, kNarrowedAtOnce, [this](Narrowed& one) { narrow(one); }),
      sign_in_(shared.registry, shared.limiter, *loop_, shared.clock, sign_in_policy(options, token_key_)),
      account_sign_in_(shared.registry, shared.limiter, shared.passwords, *loop_, shared.clock),
      ticket_sign_in_(shared.registry, shared.limiter, sign_in_.cache(), account_sign_in_.cache(), *loop_,
                      shared.clock),
      flights_(flight_limits(options, shared.device_loops)),
      mqtt_(mqtt_services(broker_, sign_in_, account_sign_in_, ticket_sign_in_, flights_, *loop_, shared, id)),
      services_({id,
                 broker_,
                 sign_in_,
                 {mqtt_.device.rules, mqtt_.standard_device.rules, mqtt_.topic_limits},
                 shared.registry,
                 *loop_,
                 clock_,
                 shared.log,
                 shared.child_hosts}),
      device_api_({sign_in_, shared.publisher, shared.clock, shared.http_handler, shared.log, id}),
      gateway_(*loop_, mqtt_, http_, shared.budget, shared.loop_switch) {
  http_.handler = &device_api_;
  http_.make_websocket = [this](gateway::Transport& transport) -> std::unique_ptr<gateway::Conversation> {
    return std::make_unique<gateway::MqttWebSocket>(transport, mqtt_);
  };
  apply(options);
  keep_wall_offset();
  loop_->timers().schedule(*this, shared.clock.mono_ms() + kTickMs);
  shared.cluster.attach(id, *loop_, broker_);
  broker_.start();
}

LoopWorker::~LoopWorker() {
  join();
  cluster_.detach(id_);
}

void LoopWorker::apply(const Options& options) {
  set_standings(options, mqtt_);
  services_.set_limits({options.limits.children_per_gateway, options.limits.child_logins_per_gateway_per_second});

  http_.allowed_origins = options.connect.allowed_origins;
  http_.limits.head_bytes = options.limits.http_head_bytes;
  http_.limits.body_bytes = kPublicBodyBytes;
  device_api_.set_settings({options.auth.require_tls, options.server.public_host,
                            static_cast<std::uint16_t>(options.server.public_port), mqtt_.topic_limits});
  gateway_.set_connection_limits(connection_limits(options));
  flights_.set_limits(flight_limits(options, mqtt_.loops));
  sign_in_.set_policy(sign_in_policy(options, token_key_));
  sign_in_.registration().set_devices_max(options.limits.registered_devices_per_product);
  ticket_sign_in_.set_policy({mqtt_.topic_limits, options.limits.ticket_lifetime_s});
}

void LoopWorker::ask_for_account(const std::string& name, base::UniqueFunction<void()> answered) {
  using Found = std::optional<registry::Account>;
  registry_.run_read<Found>([name](registry::Registry& registry) { return registry.find_account(name); }, *loop_,
                            [this, name, answered = std::move(answered)](base::Result<Found> found) mutable {
                              if (found && *found) {
                                update_account(**found);
                              } else {
                                // Deleted by now, or not to be read: nobody may go on with the old permissions.
                                close_account(name, broker::CloseCause::kKicked);
                              }
                              answered();
                            });
}

void LoopWorker::ask_for_product(const std::string& product_key, base::UniqueFunction<void()> answered) {
  registry_.run_read<registry::Product>(
      [product_key](registry::Registry& registry) { return registry.get_product(product_key); }, *loop_,
      [this, product_key, answered = std::move(answered)](base::Result<registry::Product> product) mutable {
        if (product) {
          update_product(*product);
        } else if (product.error().code == base::Errc::kNotFound) {
          sign_in_.cache().forget_product(product_key);
        } else {
          base::log_error("server", "product {} changed and cannot be read: {}", product_key, product.error().message);
          unread_products_.insert(product_key);
        }
        answered();
      });
}

void LoopWorker::forget_account(const std::string& name) {
  account_sign_in_.cache().forget(name);
}

void LoopWorker::close_account(const std::string& name, broker::CloseCause cause) {
  forget_account(name);
  broker_.close_account(name, cause);
  close_tickets_of_account(name, cause);
}

void LoopWorker::update_account(const registry::Account& account) {
  gateway::AccountCache& cache = account_sign_in_.cache();
  cache.update(account);
  gateway::AccountRules rules;
  rules.permissions = gateway::AccountCache::compile(account);
  const gateway::AccountAuthorizer authorizer(std::make_shared<const gateway::AccountRules>(std::move(rules)));
  broker_.narrow_account(account.name, authorizer);
  narrow_tickets([&](const gateway::TicketAuthorizer& ticket) { return ticket.account() == account.name; });
}

void LoopWorker::close_certificates(const registry::RevokedCertificates& revoked) {
  sign_in_.certificates_changed();
  broker_.close_certificates(
      [&](const broker::CertificateTrail& trail) {
        return revoked.concerns(trail.chain, trail.authority, trail.issued_serial);
      },
      broker::CloseCause::kKicked);
}

// Tickets are "ticket:" and their id, in place of an account's name.
void LoopWorker::close_tickets(const std::unordered_set<std::string>& ids) {
  ticket_sign_in_.changed();
  broker_.close_accounts(
      [&](std::string_view name) {
        return name.starts_with(registry::kTicketNamePrefix) &&
               ids.contains(std::string(name.substr(registry::kTicketNamePrefix.size())));
      },
      broker::CloseCause::kRevoked);
}

void LoopWorker::close_tickets(const IsMeantTicket& is_meant, broker::CloseCause cause) {
  ticket_sign_in_.changed();
  std::unordered_set<std::string> names;
  ticket_sign_in_.live().for_each([&](const gateway::TicketAuthorizer& ticket) {
    if (is_meant(ticket)) names.insert(std::string(registry::kTicketNamePrefix) + ticket.id());
  });
  if (names.empty()) return;
  broker_.close_accounts([&](std::string_view name) { return names.contains(std::string(name)); }, cause);
}

void LoopWorker::close_tickets_of_device(const base::DeviceKey& device, broker::CloseCause cause) {
  close_tickets([&](const gateway::TicketAuthorizer& ticket) { return ticket.device() == device; }, cause);
}

void LoopWorker::close_tickets_of_account(const std::string& account, broker::CloseCause cause) {
  close_tickets([&](const gateway::TicketAuthorizer& ticket) { return ticket.account() == account; }, cause);
}

void LoopWorker::close_tickets_of_product(const std::string& product_key) {
  close_tickets([&](const gateway::TicketAuthorizer& ticket) { return ticket.device().product_key == product_key; },
                broker::CloseCause::kDeleted);
}

void LoopWorker::narrow_tickets(const IsMeantTicket& is_meant) {
  std::unordered_map<std::string, const broker::Authorizer*> meant;
  ticket_sign_in_.live().for_each([&](const gateway::TicketAuthorizer& ticket) {
    if (is_meant(ticket)) meant[std::string(registry::kTicketNamePrefix) + ticket.id()] = &ticket;
  });
  if (meant.empty()) return;
  broker_.narrow_accounts([&](std::string_view name) -> const broker::Authorizer* {
    const auto found = meant.find(std::string(name));
    return found == meant.end() ? nullptr : found->second;
  });
}

void LoopWorker::narrow_tickets_of_product(const std::string& product_key) {
  narrow_tickets([&](const gateway::TicketAuthorizer& ticket) { return ticket.device().product_key == product_key; });
}

void LoopWorker::update_product(const registry::Product& product) {
  sign_in_.cache().update_product(product);
  narrow_tickets_of_product(product.product_key);
  const std::shared_ptr<const gateway::ProductRules> rules = narrowing_.put(product);
  std::vector<Narrowed> devices;
  for (base::DeviceKey& device : broker_.devices_of(product.product_key)) devices.push_back({std::move(device), rules});
  narrowed_.add(std::move(devices));
}

void LoopWorker::narrow(const Narrowed& one) {
  const gateway::DeviceAuthorizer authorizer(one.device, one.product, 0, mqtt_.topic_limits);
  broker_.narrow_device(one.device, authorizer);
}

const broker::ClientRules& LoopWorker::rules_of(const session::SessionRecord& record) const {
  if (!record.key.starts_with('d')) return mqtt_.account.rules;
  return record.standard_device ? mqtt_.standard_device.rules : mqtt_.device.rules;
}

LoopReport LoopWorker::report() const {
  LoopReport report{broker_.counters(),
                    mqtt_.counters,
                    loop_->busy_ms(),
                    loop_->wake_ups(),
                    cluster_.arrivals(id_),
                    broker_.session_count(),
                    broker_.subscription_count(),
                    broker_.queued()};
  report.gateway.delivery_ms = mqtt_.deliveries.times();
  return report;
}

LoopReport& LoopReport::operator+=(const LoopReport& other) {
  const broker::BrokerCounters& more = other.counters;
  counters.published += more.published;
  counters.delivered += more.delivered;
  counters.dropped_congested += more.dropped_congested;
  counters.dropped_queue_full += more.dropped_queue_full;
  counters.dropped_offline += more.dropped_offline;
  counters.dropped_expired += more.dropped_expired;
  counters.refused_publishes += more.refused_publishes;
  counters.refused_filters += more.refused_filters;
  counters.throttled_publishes += more.throttled_publishes;
  counters.throttled_deliveries += more.throttled_deliveries;
  counters.store_failures += more.store_failures;
  counters.connected += more.connected;
  counters.devices_connected += more.devices_connected;
  gateway += other.gateway;
  busy_ms += other.busy_ms;
  wake_ups += other.wake_ups;
  arrivals.batches += other.arrivals.batches;
  arrivals.messages += other.arrivals.messages;
  sessions += other.sessions;
  subscriptions += other.subscriptions;
  queued.messages += other.queued.messages;
  queued.bytes += other.queued.bytes;
  return *this;
}

void LoopWorker::on_timer(base::MonoMs now) {
  broker_.tick();
  keep_wall_offset();
  for (const std::string& product_key : std::exchange(unread_products_, {})) products_.changed(product_key);
  loop_->timers().schedule(*this, now + kTickMs);
}

void LoopWorker::run() {
  loop_->run();
}
void LoopWorker::start() {
  thread_ = std::thread([this] {
    base::name_thread(("loop " + std::to_string(id_)).c_str());
    loop_->run();
  });
}
void LoopWorker::let_go() {
  cancel();
  broker_.shut_down();
  loop_->drop_posted();
}
void LoopWorker::join() {
  if (thread_.joinable()) thread_.join();
}

}  // namespace mooring::server
