#include "server/server.h"

#include <fmt/format.h>
#include <netdb.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "cluster/local_directory.h"
#include "crypto/password_hash.h"
#include "crypto/random.h"
#include "doctor/registry_examiner.h"
#include "journal/device_journal.h"
#include "registry/names.h"
#include "registry/sqlite_registry.h"
#include "server/announcement.h"
#include "server/certificates.h"
#include "server/change_report.h"
#include "server/data_folder.h"
#include "server/deleted_sessions.h"
#include "server/demo.h"
#include "server/device_trust.h"
#include "server/home_publisher.h"
#include "server/live_log.h"
#include "server/live_platform.h"
#include "server/live_sessions.h"
#include "server/loop_worker.h"
#include "server/statistics.h"
#include "server/system_topics.h"
#include "server/worker_switch.h"
#include "storage/rocks_session_store.h"
#include "web/api_door.h"
#include "web/event_hub.h"
#include "web/live_door.h"
#include "web/site.h"

namespace mooring::server {
namespace {

constexpr std::int64_t kCertificateCheckMs = 2000;
constexpr std::int64_t kStopCheckMs = 20;
constexpr char kFirstUser[] = "admin";
constexpr std::size_t kFirstPasswordCharacters = 20;  // 119 bits
constexpr std::int64_t kStopLimitMs = 3500;           // for the last bytes and the peers' farewells; then loops end

storage::Durability to_storage(DurabilityMode mode) {
  switch (mode) {
    case DurabilityMode::kDisk:
      return storage::Durability::kDisk;
    case DurabilityMode::kProcess:
      return storage::Durability::kProcess;
    case DurabilityMode::kMemory:
      return storage::Durability::kMemory;
  }
  return storage::Durability::kDisk;
}

// Every connection is a descriptor; the soft limit of a shell is far below what the hard one allows.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

base::Result<std::vector<net::SocketAddress>> addresses_of(const ListenerOptions& listener) {
  std::vector<net::SocketAddress> out;
  if (listener.host.empty()) {
    out.push_back(*net::SocketAddress::parse("0.0.0.0", listener.port));
    out.push_back(*net::SocketAddress::parse("::", listener.port));
    return out;
  }
  if (auto literal = net::SocketAddress::parse(listener.host, listener.port)) {
    out.push_back(*literal);
    return out;
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(listener.host.c_str(), std::to_string(listener.port).c_str(), &hints, &found);
  if (error != 0) {
    return base::fail(
        base::Errc::kInvalidArgument,
        fmt::format("cannot find the address of '{}' (listener.address): {}", listener.host, ::gai_strerror(error)));
  }
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    out.emplace_back(entry->ai_addr, entry->ai_addrlen);
  }
  ::freeaddrinfo(found);
  return out;
}

api::AdminSettings admin_settings(const Options& options) {
  return {options.limits.ticket_lifetime_s,
          options.limits.tickets_per_holder,
          options.limits.authorities,
          {options.audit.max_entries, options.audit.max_age_days * 86'400ULL}};
}

api::SessionTimes session_times(const Options& options) {
  return {options.console.session_idle_s, options.console.session_max_s};
}

routing::RetainedMessages::Limits retained_limits(const Options& options) {
  return {options.mqtt.max_retained_messages, options.mqtt.max_retained_bytes, options.mqtt.account_payload_bytes};
}

journal::JournalLimits journal_limits(const Options& options) {
  return {options.device_log.max_age_s, options.device_log.entries_per_device, options.device_log.max_bytes,
          options.device_log.strangers};
}

doctor::Policy doctor_policy(const Options& options) {
  return {static_cast<std::uint16_t>(options.auth.keep_alive_min_s),
          static_cast<std::uint16_t>(options.auth.keep_alive_max_s)};
}

// The parts of the platform in the order in which they are made; they end in the opposite order.
class Server final : private net::LoopClient, private net::Timer {
 public:
  explicit Server(Options options) : options_(std::move(options)), clock_(base::system_clock()) {}
  ~Server() override { end(); }

  base::Result<> start(bool demo);
  void run() { admin_->run(); }

 private:
  base::Result<> open_stores(bool demo);
  base::Result<> ensure_first_user(registry::Registry& registry);
  void warn_of_missing_accounts(registry::Registry& registry) const;
  base::Result<> make_loops();
  void make_live_parts();
  void set_rates();
  base::Result<> restore_sessions();
  base::Result<> open_listeners();
  base::Result<> open_listener(const ListenerOptions& listener, net::SocketAddress address);
  base::Result<> watch_signals();
  std::shared_ptr<gateway::ListenerContext> context_for(const ListenerOptions& listener) const;
  void announce() const;

  void on_ready(std::uint32_t epoll_events) override;  // a signal
  void on_timer(base::MonoMs now) override;
  void reload();
  void hand_out_certificates();
  void begin_stop();
  void end();
  std::vector<LoopWorker*> all_workers();

  Options options_;
  const base::Clock& clock_;
  std::optional<DataFolder> folder_;
  std::unique_ptr<Certificates> certificates_;
  std::unique_ptr<storage::RocksSessionStore> store_;
  std::unique_ptr<registry::RegistryService> registry_;
  std::unique_ptr<doctor::RegistryExaminer> doctor_;
  std::unique_ptr<journal::DeviceJournal> journal_;
  std::unique_ptr<LiveLog> live_log_;
  std::unique_ptr<LiveSessions> live_;
  std::unique_ptr<web::EventHub> hub_;  // its readers end with their loops
  std::unique_ptr<web::ApiDoor> door_;
  std::string token_key_;  // signs devices' tokens
  std::unique_ptr<web::Site> site_;
  std::unique_ptr<auth::ConnectLimiter> limiter_;
  std::unique_ptr<auth::PasswordChecker> passwords_;
  gateway::ConnectionBudget budget_;
  std::unique_ptr<cluster::LocalCluster> cluster_;
  std::unique_ptr<cluster::LocalDirectory> directory_;
  std::unique_ptr<routing::RetainedMessages> retained_;
  broker::InstanceRates rates_;
  WorkerSwitch switch_;
  HomePublisher publisher_;
  things::ChildHosts child_hosts_;
  std::vector<std::unique_ptr<LoopWorker>> workers_;  // for devices
  std::unique_ptr<LoopWorker> admin_;                 // the main thread's: local socket, signals, certificates
  std::unique_ptr<SystemTopics> system_topics_;       // likewise
  std::unique_ptr<Statistics> statistics_;            // likewise
  std::unique_ptr<web::LiveDoor> live_door_;
  std::unique_ptr<LivePlatform> platform_;    // until the registry has stopped
  std::unique_ptr<DeletedSessions> deleted_;  // on the main thread's loop
  std::unique_ptr<DeviceTrust> trust_;        // likewise
  net::UniqueFd signals_;
  Announcement announcement_;
  std::uint32_t next_listener_number_ = 0;
  base::MonoMs stop_deadline_ms_ = 0;  // 0: running
};

base::Result<> Server::start(bool demo) {
  base::set_log_level(options_.log.level);
  base::set_log_format(options_.log.format);
  raise_descriptor_limit();
  if (auto done = watch_signals(); !done) return done;
  if (auto done = open_stores(demo); !done) return done;
  if (auto done = make_loops(); !done) return done;
  if (auto done = restore_sessions(); !done) return done;
  if (auto done = open_listeners(); !done) return done;
  platform_->set_listeners(announcement_.listeners);
  if (auto watched = admin_->loop().watch(signals_.get(), *this, net::Loop::Watch::kLevelRead); !watched)
    return watched;
  // Nothing fails any more between this and the announcement of its password.
  if (auto made = ensure_first_user(registry_->registry()); !made) return made;
  admin_->loop().timers().schedule(*this, clock_.mono_ms() + kCertificateCheckMs);
  for (const auto& worker : workers_) worker->start();
  system_topics_->start();
  statistics_->start();
  deleted_->drain();  // what was deleted while no server ran
  trust_->start(options_.tls.expiry_warning_days);
  site_->set_ready(true);
  announce();
  return {};
}

base::Result<> Server::watch_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  // Before any thread exists, so that all inherit it and the signals arrive here alone.
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  signals_ = net::UniqueFd(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!signals_) return base::fail(base::Errc::kIo, "cannot watch for signals");
  return {};
}

base::Result<> Server::open_stores(bool demo) {
  auto folder = DataFolder::open(options_.server.data);
  if (!folder) return tl::unexpected(folder.error());
  folder_.emplace(std::move(*folder));

  auto certificates = Certificates::load(options_.tls, folder_->tls_folder(), clock_);
  if (!certificates) return tl::unexpected(certificates.error());
  certificates_ = std::move(*certificates);

  auto store = storage::RocksSessionStore::open({folder_->sessions_folder(), to_storage(options_.durability.mode)});
  if (!store) return tl::unexpected(store.error());
  store_ = std::move(*store);

  registry::SqliteOptions sqlite;
  sqlite.file = folder_->registry_file();
  auto opened = registry::open_sqlite_registry(sqlite, crypto::system_random(), clock_);
  if (!opened) return tl::unexpected(opened.error());
  if (auto marked = (*opened)->mark_all_offline(clock_.wall_ms()); !marked) return marked;
  if (demo) {
    auto device = ensure_demo_device(**opened);
    if (!device) return tl::unexpected(device.error());
    announcement_.demo.push_back(std::move(*device));
  }
  warn_of_missing_accounts(**opened);
  const auto authorities = (*opened)->list_authorities();
  if (!authorities) return tl::unexpected(authorities.error());
  if (auto used = certificates_->set_authorities(DeviceTrust::pem_of(*authorities)); !used) return used;
  auto token_key = (*opened)->server_key("device-token");
  if (!token_key) return tl::unexpected(token_key.error());
  token_key_ = std::move(*token_key);
  // It reads beside the service, on the journal's thread; the service keeps the registry alive.
  doctor_ = std::make_unique<doctor::RegistryExaminer>(**opened, doctor_policy(options_), clock_);
  registry_ = std::make_unique<registry::RegistryService>(std::move(*opened));
  live_ = std::make_unique<LiveSessions>(*registry_);
  auto journal = journal::DeviceJournal::open(folder_->journal_file(), journal_limits(options_), doctor_.get(), clock_);
  if (!journal) return tl::unexpected(journal.error());
  journal_ = std::move(*journal);
  live_log_ = std::make_unique<LiveLog>(*journal_);
  door_ = std::make_unique<web::ApiDoor>(*registry_, *live_, api::Diagnostics{journal_.get(), live_.get()}, clock_);
  door_->set_settings(admin_settings(options_));
  door_->set_session_times(session_times(options_));
  if (auto loaded = door_->load(registry_->registry()); !loaded) return loaded;
  registry_->on_change([this](std::span<const registry::Change> changes) {
    report_changes(changes, *live_log_);
    if (web::EventHub* hub = live_log_->hub()) hub->note_changes(changes);
    door_->on_changes(changes);
    live_->on_changes(changes);
    trust_->on_changes(changes);
  });
  site_ = std::make_unique<web::Site>(*door_, certificates_->root_pem());
  return {};
}

// Somebody must be able to sign in to the console; nobody knows a password that was not printed.
base::Result<> Server::ensure_first_user(registry::Registry& registry) {
  const auto users = registry.list_users();
  if (!users) return tl::unexpected(users.error());
  if (!users->empty()) return {};
  std::string password = crypto::random_alphanumeric(crypto::system_random(), kFirstPasswordCharacters);
  auto hash = crypto::hash_password(password);
  if (!hash) return tl::unexpected(hash.error());
  const auto made = registry.create_user({kFirstUser, registry::Role::kAdmin, std::move(*hash), true});
  if (!made) return tl::unexpected(made.error());
  announcement_.first_user = kFirstUser;
  announcement_.first_password = std::move(password);
  return {};
}

// No reason not to start: the account can be made any time, and until then such a CONNECT is refused.
void Server::warn_of_missing_accounts(registry::Registry& registry) const {
  for (const ListenerOptions& listener : options_.listeners) {
    if (listener.anonymous_account.empty()) continue;
    const auto account = registry.find_account(listener.anonymous_account);
    if (account && *account) continue;
    base::log_warn("server",
                   "listener {}: its anonymous_account '{}' does not exist; clients without user name are refused "
                   "until it is made with 'mooring account create'",
                   listener.address, base::printable(listener.anonymous_account, 80));
  }
}

void Server::set_rates() {
  rates_.up.set_limit(options_.limits.publishes_per_second);
  rates_.down.set_limit(options_.limits.deliveries_per_second);
}

base::Result<> Server::make_loops() {
  const std::uint32_t threads =
      options_.server.threads != 0 ? options_.server.threads : std::max(1U, std::thread::hardware_concurrency());
  limiter_ = std::make_unique<auth::ConnectLimiter>(
      auth::ConnectLimiter::Limits{options_.limits.connects_per_device_per_minute,
                                   options_.limits.refusals_per_address_per_minute,
                                   options_.limits.connects_per_second},
      crypto::system_random());
  passwords_ = std::make_unique<auth::PasswordChecker>(*limiter_, clock_);
  budget_.max = options_.limits.max_connections;
  cluster_ = std::make_unique<cluster::LocalCluster>(threads + 1);
  directory_ = std::make_unique<cluster::LocalDirectory>(clock_.wall_ms(), store_->newest_epoch(),
                                                         static_cast<session::LoopId>(threads));
  retained_ = std::make_unique<routing::RetainedMessages>(retained_limits(options_));
  set_rates();
  const auto device_loops = static_cast<session::LoopId>(threads);
  const SharedParts shared{*registry_,  *directory_,  *store_,    *retained_, *cluster_,   *limiter_,
                           *passwords_, budget_,      *site_,     clock_,     switch_,     rates_,
                           *live_log_,  device_loops, token_key_, publisher_, child_hosts_};
  for (std::uint32_t id = 0; id <= threads; ++id) {
    auto loop = net::Loop::create(clock_);
    if (!loop) return tl::unexpected(loop.error());
    auto worker = std::make_unique<LoopWorker>(std::move(*loop), static_cast<std::uint16_t>(id), shared, options_);
    if (id == threads) {
      admin_ = std::move(worker);
    } else {
      workers_.push_back(std::move(worker));
    }
  }
  switch_.set_workers(all_workers());
  std::vector<LoopWorker*> homes;
  for (const auto& worker : workers_) homes.push_back(worker.get());
  publisher_.set_homes(std::move(homes));
  std::vector<things::ChildHosts::Place> places;
  for (const auto& worker : workers_) places.push_back({&worker->loop(), &worker->things().host()});
  child_hosts_.set_homes(std::move(places));
  deleted_ = std::make_unique<DeletedSessions>(*registry_, *admin_, all_workers());
  system_topics_ = std::make_unique<SystemTopics>(*admin_, all_workers(), *store_, *retained_);
  live_->set_parts(all_workers(), *deleted_);
  make_live_parts();
  trust_ = std::make_unique<DeviceTrust>(*registry_, *admin_, clock_, [this](std::vector<std::string> authorities) {
    if (auto used = certificates_->set_authorities(std::move(authorities)); !used) {
      base::log_error("tls", "the private authorities are not used: {}", used.error().message);
    } else {
      hand_out_certificates();
    }
  });
  registry_->start();
  journal_->start();
  return {};
}

void Server::make_live_parts() {
  hub_ = std::make_unique<web::EventHub>(admin_->loop(), [this](const base::DeviceKey& device, std::int64_t after,
                                                                base::Executor& executor, web::EventHub::LogDone done) {
    door_->read_log(device, after, executor, std::move(done));
  });
  live_log_->set_hub(hub_.get());
  statistics_ =
      std::make_unique<Statistics>(Statistics::Parts{*admin_, all_workers(), *store_, *retained_, *registry_, budget_,
                                                     *passwords_, door_->passwords(), *journal_, *live_log_, *hub_});
  live_door_ = std::make_unique<web::LiveDoor>(*statistics_, *hub_);
  platform_ = std::make_unique<LivePlatform>(*statistics_, all_workers(), clock_);
  platform_->set_options(options_);
  platform_->set_certificates(*certificates_);
  door_->set_live(*live_door_, *platform_);
  site_->set_statistics(*statistics_);
}

// Every stored session back to its home, before the first loop runs. Queues stay where they are.
base::Result<> Server::restore_sessions() {
  const auto homes = static_cast<session::LoopId>(workers_.size());
  std::size_t sessions = 0;
  std::set<std::string> tickets;
  auto done = store_->for_each_session([&](session::SessionRecord&& record, session::Epoch) {
    LoopWorker& home = *workers_[session::home_loop(session::identity_of(record.key), homes)];
    const broker::ClientRules& rules = home.rules_of(record);
    if (const auto account = session::account_of_key(record.key);
        account && account->starts_with(registry::kTicketNamePrefix)) {
      tickets.emplace(account->substr(registry::kTicketNamePrefix.size()));
    }
    home.broker().restore(std::move(record), rules);
    ++sessions;
  });
  if (!done) return done;
  done = store_->for_each_received([&](session::SessionNumber number, std::uint16_t packet_id) {
    for (const auto& worker : workers_) worker->broker().restore_received(number, packet_id);
  });
  if (!done) return done;
  done = store_->for_each_retained([&](const mqtt::MessageRef& message) { retained_->set(message, {}); });
  if (!done) return done;
  if (sessions > 0 || retained_->size() > 0) {
    base::log_info("server", "{} sessions and {} retained messages restored", sessions, retained_->size());
  }
  // The store remembers that this start happened: see LocalDirectory on clocks that go back.
  store_->erase(std::string("s"), 0, directory_->adopt(0, {}), admin_->loop(), [](base::Result<> noted) {
    if (!noted) base::log_error("server", "the session store does not take anything: {}", noted.error().message);
  });
  for (const auto& worker : workers_) worker->restored();
  live_->end_dead_tickets({tickets.begin(), tickets.end()}, clock_.wall_ms());
  return {};
}

std::vector<LoopWorker*> Server::all_workers() {
  std::vector<LoopWorker*> all;
  for (const auto& worker : workers_) all.push_back(worker.get());
  all.push_back(admin_.get());
  return all;
}

std::shared_ptr<gateway::ListenerContext> Server::context_for(const ListenerOptions& listener) const {
  auto context = std::make_shared<gateway::ListenerContext>();
  switch (listener.tls) {
    case ListenerTls::kAuto:
      context->tls = gateway::ListenerContext::Tls::kAuto;
      break;
    case ListenerTls::kRequired:
      context->tls = gateway::ListenerContext::Tls::kRequired;
      break;
    case ListenerTls::kOff:
      context->tls = gateway::ListenerContext::Tls::kOff;
      break;
  }
  context->legacy_tls = listener.legacy_tls;
  context->client_certificates = listener.client_certificates;
  context->tls_context = certificates_->contexts()[listener.legacy_tls ? 1 : 0][listener.client_certificates ? 1 : 0];
  context->proxy_protocol = listener.proxy_protocol;
  context->anonymous_account = listener.anonymous_account;
  for (const std::string& block : listener.trusted_proxies) {
    if (auto parsed = net::AddressBlock::parse(block)) context->trusted_proxies.push_back(*parsed);
  }
  context->limits = connection_limits(options_);
  return context;
}

base::Result<> Server::open_listeners() {
  for (const ListenerOptions& listener : options_.listeners) {
    const auto addresses = addresses_of(listener);
    if (!addresses) return tl::unexpected(addresses.error());
    std::size_t opened = 0;
    std::uint16_t picked_port = 0;
    for (net::SocketAddress address : *addresses) {
      // ":0" means one port for both address families.
      if (address.port() == 0 && picked_port != 0) address = *net::SocketAddress::parse(address.host(), picked_port);
      if (auto done = open_listener(listener, address); !done) {
        // A machine without IPv6 is no reason to refuse ":443"; anything else is.
        const bool optional =
            listener.host.empty() && address.family() == AF_INET6 && opened > 0 && done.error().code == base::Errc::kIo;
        if (!optional) return done;
        base::log_info("server", "no IPv6 on this machine: {}", done.error().message);
        continue;
      }
      ++opened;
      picked_port = announcement_.listeners.back().address.port();
    }
  }
  auto local = net::open_local_listener(folder_->socket_file());
  if (!local) return tl::unexpected(local.error());
  auto context = std::make_shared<gateway::ListenerContext>();
  context->local_socket = true;
  context->tls = gateway::ListenerContext::Tls::kOff;
  return admin_->gateway().listen(std::move(*local), std::move(context));
}

base::Result<> Server::open_listener(const ListenerOptions& listener, net::SocketAddress address) {
  // Opened alone first: that is how a port in use shows.
  auto probe = net::open_listener(address, false);
  if (!probe) return tl::unexpected(probe.error());
  const auto bound = net::bound_address(*probe);
  if (!bound) return tl::unexpected(bound.error());
  probe->reset();
  const std::uint32_t number = next_listener_number_++;
  for (const auto& worker : workers_) {
    auto fd = net::open_listener(*bound, true);
    if (!fd) return tl::unexpected(fd.error());
    auto context = context_for(listener);
    context->number = number;
    if (auto done = worker->gateway().listen(std::move(*fd), std::move(context)); !done) return done;
  }
  announcement_.listeners.push_back({*bound, listener.tls, listener.legacy_tls});
  return {};
}

void Server::announce() const {
  Announcement all = announcement_;
  all.data = std::filesystem::absolute(folder_->path()).lexically_normal();
  if (certificates_->built_in()) {
    all.root_file = std::filesystem::absolute(certificates_->root_file()).lexically_normal();
    all.root_fingerprint = certificates_->root_fingerprint();
  }
  if (options_.log.format == base::LogFormat::kText) {
    fmt::print(stderr, "{}\n", welcome(all));
  } else if (!all.first_user.empty()) {  // no password belongs into a log
    base::log_warn("server", "the console's user '{}' was made; 'mooring user reset {} --data {}' prints a password",
                   all.first_user, all.first_user, all.data.string());
  }
  fmt::print("{}\n", ready_line(all));
  std::fflush(stdout);
}

// ---- on the main thread's loop ----

void Server::on_ready(std::uint32_t) {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    if (info.ssi_signo == SIGHUP) {
      reload();
    } else {
      begin_stop();
    }
  }
}

void Server::on_timer(base::MonoMs now) {
  if (stop_deadline_ms_ != 0) {
    if (budget_.open.load() == 0 || now >= stop_deadline_ms_) {
      admin_->loop().stop();
    } else {
      admin_->loop().timers().schedule(*this, now + kStopCheckMs);
    }
    return;
  }
  if (certificates_->refresh()) hand_out_certificates();
  admin_->loop().timers().schedule(*this, now + kCertificateCheckMs);
}

void Server::hand_out_certificates() {
  platform_->set_certificates(*certificates_);
  for (const auto& worker : workers_) {
    worker->loop().post([w = worker.get(), contexts = certificates_->contexts()] {
      w->gateway().set_tls_contexts([&](const gateway::ListenerContext& context) {
        return contexts[context.legacy_tls ? 1 : 0][context.client_certificates ? 1 : 0];
      });
    });
  }
}

void Server::reload() {
  const auto loaded = load_options(options_.sources);
  if (!loaded) {
    base::log_error("server", "reload: the configuration is wrong and the old one stays:\n{}",
                    describe(loaded.error()));
    return;
  }
  for (const OptionChange& change : changed_options(options_, *loaded)) {
    if (change.reloadable) {
      base::log_info("server", "reload: {} changed", change.name);
    } else {
      base::log_warn("server", "reload: {} changed, but takes effect with the next start only", change.name);
    }
  }
  Options next = with_reloadable(options_, *loaded);
  if (auto renewed = certificates_->reload(next.tls); !renewed) {
    base::log_error("server", "reload: the certificates stay as they were: {}", renewed.error().message);
    next.tls = options_.tls;
  }
  options_ = std::move(next);
  base::set_log_level(options_.log.level);
  limiter_->set_limits({options_.limits.connects_per_device_per_minute, options_.limits.refusals_per_address_per_minute,
                        options_.limits.connects_per_second});
  budget_.max = options_.limits.max_connections;
  retained_->set_limits(retained_limits(options_));
  door_->set_settings(admin_settings(options_));
  platform_->set_options(options_);
  door_->set_session_times(session_times(options_));
  set_rates();
  journal_->set_limits(journal_limits(options_));
  doctor_->set_policy(doctor_policy(options_));
  for (LoopWorker* worker : all_workers()) {
    worker->loop().post([worker, options = options_] { worker->apply(options); });
  }
  hand_out_certificates();
  trust_->start(options_.tls.expiry_warning_days);
  base::log_info("server", "reload: done");
}

void Server::begin_stop() {
  if (stop_deadline_ms_ != 0) return;
  base::log_info("server", "stopping");
  site_->set_ready(false);
  stop_deadline_ms_ = clock_.mono_ms() + kStopLimitMs;
  for (LoopWorker* worker : all_workers()) {
    worker->loop().post([worker] { worker->gateway().shut_down(); });
  }
  admin_->loop().timers().schedule(*this, clock_.mono_ms() + kStopCheckMs);
}

void Server::end() {
  cancel();
  // Behind what the loops had to tell each other when their connections ended.
  for (const auto& worker : workers_) worker->loop().post([loop = &worker->loop()] { loop->stop(); });
  for (const auto& worker : workers_) worker->join();
  if (passwords_ != nullptr) passwords_->stop();
  if (door_ != nullptr) door_->stop();
  system_topics_.reset();
  if (hub_ != nullptr) hub_->stop();
  if (live_log_ != nullptr) live_log_->set_hub(nullptr);
  // Ends the registry's and the store's threads while the loops they answer to still exist.
  if (journal_ != nullptr) journal_->stop();
  if (registry_ != nullptr) registry_->stop();
  live_door_.reset();
  platform_.reset();
  statistics_.reset();
  store_.reset();
  for (LoopWorker* worker : all_workers()) {
    if (worker != nullptr) worker->let_go();
  }
  deleted_.reset();
  trust_.reset();
  std::error_code ignored;
  if (admin_ != nullptr && folder_) std::filesystem::remove(folder_->socket_file(), ignored);
  workers_.clear();
  admin_.reset();
}

}  // namespace

int run_server(const Options& options, bool demo) {
  Server server(options);
  if (auto started = server.start(demo); !started) {
    if (options.log.format == base::LogFormat::kText) {
      fmt::print(stderr, "mooring: {}\n", started.error().message);
    } else {
      base::set_log_level(base::LogLevel::kError);  // whoever reads text is told as well
      base::log_error("server", "{}", started.error().message);
    }
    return 1;
  }
  server.run();
  return 0;
}

}  // namespace mooring::server
