#include "server/server.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <cstdio>
#include <thread>
#include <utility>

#include "base/log.h"
#include "cluster/local_directory.h"
#include "crypto/random.h"
#include "doctor/registry_examiner.h"
#include "journal/device_journal.h"
#include "registry/sqlite_registry.h"
#include "server/announcement.h"
#include "server/certificates.h"
#include "server/change_report.h"
#include "server/data_folder.h"
#include "server/deleted_sessions.h"
#include "server/device_trust.h"
#include "server/first_start.h"
#include "server/home_publisher.h"
#include "server/listeners.h"
#include "server/live_log.h"
#include "server/live_platform.h"
#include "server/live_sessions.h"
#include "server/loop_worker.h"
#include "server/module_settings.h"
#include "server/process.h"
#include "server/restore.h"
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

constexpr std::uint64_t kOtherDescriptors = 1'000;  // files, sockets of its own, loops
constexpr std::int64_t kCertificateCheckMs = 2000;
constexpr std::int64_t kStopCheckMs = 20;
constexpr std::int64_t kStopLimitMs = 3500;  // for the last bytes and the peers' farewells; then loops end

// The parts of the platform in the order in which they are made; they end in the opposite order.
class Server final : private net::LoopClient, private net::Timer {
 public:
  explicit Server(Options options) : options_(std::move(options)), clock_(base::system_clock()) {}
  ~Server() override { end(); }

  base::Result<> start(bool demo);
  void run() { admin_->run(); }

 private:
  base::Result<> open_folder();
  base::Result<> open_registry(bool demo);
  base::Result<> open_journal();
  base::Result<> make_doors();
  base::Result<> make_loops();
  base::Result<> make_workers(session::LoopId device_loops);
  void make_shared_parts(session::LoopId device_loops);
  void join_workers();
  void make_live_parts();
  void make_trust();
  void set_rates();
  base::Result<> restore();
  base::Result<> open_listeners();
  base::Result<> open_for_clients();
  void announce() const;

  void on_ready(std::uint32_t epoll_events) override;  // a signal
  void on_timer(base::MonoMs now) override;
  void reload();
  void spread_options();
  void hand_out_certificates();
  void begin_stop();
  void end();
  std::vector<LoopWorker*> homes() const;
  std::vector<LoopWorker*> all_workers() const;

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
  std::unique_ptr<SystemTopics> system_topics_;       // told by the next
  std::unique_ptr<Statistics> statistics_;            // likewise
  std::unique_ptr<web::LiveDoor> live_door_;
  std::unique_ptr<LivePlatform> platform_;    // until the registry has stopped
  std::unique_ptr<DeletedSessions> deleted_;  // on the main thread's loop
  std::unique_ptr<DeviceTrust> trust_;        // likewise
  net::UniqueFd signals_;
  Announcement announcement_;
  base::MonoMs stop_deadline_ms_ = 0;  // 0: running
};

base::Result<> Server::start(bool demo) {
  base::set_log_level(options_.log.level);
  base::set_log_format(options_.log.format);
  raise_descriptor_limit();
  const std::uint64_t connections = options_.limits.max_connections;
  reserve_descriptors(connections == 0 ? UINT64_MAX : connections + kOtherDescriptors);
  auto signals = take_signals();
  if (!signals) return tl::unexpected(signals.error());
  signals_ = std::move(*signals);
  if (auto done = open_folder(); !done) return done;
  if (auto done = open_registry(demo); !done) return done;
  if (auto done = open_journal(); !done) return done;
  if (auto done = make_doors(); !done) return done;
  if (auto done = make_loops(); !done) return done;
  if (auto done = restore(); !done) return done;
  return open_for_clients();
}

base::Result<> Server::open_folder() {
  auto folder = DataFolder::open(options_.server.data);
  if (!folder) return tl::unexpected(folder.error());
  folder_.emplace(std::move(*folder));

  auto certificates = Certificates::load(options_.tls, folder_->tls_folder(), clock_);
  if (!certificates) return tl::unexpected(certificates.error());
  certificates_ = std::move(*certificates);

  auto store = storage::RocksSessionStore::open({folder_->sessions_folder(), durability_of(options_.durability.mode)});
  if (!store) return tl::unexpected(store.error());
  store_ = std::move(*store);
  return {};
}

base::Result<> Server::open_registry(bool demo) {
  registry::SqliteOptions sqlite;
  sqlite.file = folder_->registry_file();
  auto opened = registry::open_sqlite_registry(sqlite, crypto::system_random(), clock_);
  if (!opened) return tl::unexpected(opened.error());
  registry::Registry& registry = **opened;
  if (auto marked = registry.mark_all_offline(clock_.wall_ms()); !marked) return marked;
  if (demo) {
    auto device = ensure_demo_device(registry);
    if (!device) return tl::unexpected(device.error());
    announcement_.demo.push_back(std::move(*device));
  }
  warn_of_missing_accounts(options_.listeners, registry);
  const auto authorities = registry.list_authorities();
  if (!authorities) return tl::unexpected(authorities.error());
  if (auto used = certificates_->set_authorities(DeviceTrust::pem_of(*authorities)); !used) return used;
  auto token_key = registry.server_key("device-token");
  if (!token_key) return tl::unexpected(token_key.error());
  token_key_ = std::move(*token_key);
  registry_ = std::make_unique<registry::RegistryService>(std::move(*opened));
  return {};
}

base::Result<> Server::open_journal() {
  // It reads beside the service, on the journal's thread; the service keeps the registry alive.
  doctor_ = std::make_unique<doctor::RegistryExaminer>(registry_->registry(), doctor_policy(options_), clock_);
  auto journal = journal::DeviceJournal::open(folder_->journal_file(), journal_limits(options_), doctor_.get(), clock_);
  if (!journal) return tl::unexpected(journal.error());
  journal_ = std::move(*journal);
  live_log_ = std::make_unique<LiveLog>(*journal_);
  return {};
}

base::Result<> Server::make_doors() {
  live_ = std::make_unique<LiveSessions>(*registry_);
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

void Server::set_rates() {
  rates_.up.set_limit(options_.limits.publishes_per_second);
  rates_.down.set_limit(options_.limits.deliveries_per_second);
}

base::Result<> Server::make_loops() {
  const std::uint32_t threads =
      options_.server.threads != 0 ? options_.server.threads : std::max(1U, std::thread::hardware_concurrency());
  const auto device_loops = static_cast<session::LoopId>(threads);
  make_shared_parts(device_loops);
  if (auto made = make_workers(device_loops); !made) return made;
  join_workers();
  make_live_parts();
  make_trust();
  registry_->start();
  journal_->start();
  return {};
}

void Server::make_shared_parts(session::LoopId device_loops) {
  limiter_ = std::make_unique<auth::ConnectLimiter>(sign_in_limits(options_), crypto::system_random());
  passwords_ = std::make_unique<auth::PasswordChecker>(*limiter_, clock_);
  budget_.max = options_.limits.max_connections;
  cluster_ = std::make_unique<cluster::LocalCluster>(std::size_t{device_loops} + 1);
  directory_ = std::make_unique<cluster::LocalDirectory>(clock_.wall_ms(), store_->newest_epoch(), device_loops);
  retained_ = std::make_unique<routing::RetainedMessages>(retained_limits(options_));
  set_rates();
}

// The last one is the main thread's.
base::Result<> Server::make_workers(session::LoopId device_loops) {
  const SharedParts shared{*registry_,  *directory_,  *store_,    *retained_, *cluster_,   *limiter_,
                           *passwords_, budget_,      *site_,     clock_,     switch_,     rates_,
                           *live_log_,  device_loops, token_key_, publisher_, child_hosts_};
  for (std::uint32_t id = 0; id <= device_loops; ++id) {
    auto loop = net::Loop::create(clock_);
    if (!loop) return tl::unexpected(loop.error());
    auto worker = std::make_unique<LoopWorker>(std::move(*loop), static_cast<std::uint16_t>(id), shared, options_);
    if (id == device_loops) {
      admin_ = std::move(worker);
    } else {
      workers_.push_back(std::move(worker));
    }
  }
  return {};
}

// Who has to know all loops.
void Server::join_workers() {
  switch_.set_workers(all_workers());
  publisher_.set_homes(homes());
  std::vector<things::ChildHosts::Place> places;
  for (const auto& worker : workers_) places.push_back({&worker->loop(), &worker->things().host()});
  child_hosts_.set_homes(std::move(places));
  deleted_ = std::make_unique<DeletedSessions>(*registry_, *admin_, all_workers());
  system_topics_ = std::make_unique<SystemTopics>(*admin_, *store_, *retained_);
  live_->set_parts(all_workers(), *deleted_);
}

void Server::make_trust() {
  trust_ = std::make_unique<DeviceTrust>(*registry_, *admin_, clock_, [this](std::vector<std::string> authorities) {
    if (auto used = certificates_->set_authorities(std::move(authorities)); !used) {
      base::log_error("tls", "the private authorities are not used: {}", used.error().message);
    } else {
      hand_out_certificates();
    }
  });
}

void Server::make_live_parts() {
  hub_ = std::make_unique<web::EventHub>(admin_->loop(), [this](const base::DeviceKey& device, std::int64_t after,
                                                                base::Executor& executor, web::EventHub::LogDone done) {
    door_->read_log(device, after, executor, std::move(done));
  });
  live_log_->set_hub(hub_.get());
  statistics_ = std::make_unique<Statistics>(Statistics::Parts{*admin_, all_workers(), *store_, *retained_, *registry_,
                                                               budget_, *passwords_, door_->passwords(), *journal_,
                                                               *live_log_, *hub_, *system_topics_});
  live_door_ = std::make_unique<web::LiveDoor>(*statistics_, *hub_);
  platform_ = std::make_unique<LivePlatform>(*statistics_, all_workers(), clock_);
  platform_->set_options(options_);
  platform_->set_certificates(*certificates_);
  door_->set_live(*live_door_, *platform_);
  site_->set_statistics(*statistics_);
}

base::Result<> Server::restore() {
  auto tickets = restore_sessions(*store_, *retained_, homes());
  if (!tickets) return tl::unexpected(tickets.error());
  // The store remembers that this start happened: see LocalDirectory on clocks that go back.
  store_->erase(std::string("s"), 0, directory_->adopt(0, {}), admin_->loop(), [](base::Result<> noted) {
    if (!noted) base::log_error("server", "the session store does not take anything: {}", noted.error().message);
  });
  for (const auto& worker : workers_) worker->restored();
  live_->end_dead_tickets(std::move(*tickets), clock_.wall_ms());
  return {};
}

base::Result<> Server::open_listeners() {
  auto running = server::open_listeners(options_, *certificates_, homes());
  if (!running) return tl::unexpected(running.error());
  announcement_.listeners = std::move(*running);
  platform_->set_listeners(announcement_.listeners);
  return open_local_listener(folder_->socket_file(), *admin_);
}

base::Result<> Server::open_for_clients() {
  if (auto done = open_listeners(); !done) return done;
  if (auto done = admin_->loop().watch(signals_.get(), *this, net::Loop::Watch::kLevelRead); !done) return done;
  // Nothing fails any more between this and the announcement of its password.
  auto first = ensure_first_user(registry_->registry());
  if (!first) return tl::unexpected(first.error());
  announcement_.first_user = std::move(*first);
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

std::vector<LoopWorker*> Server::homes() const {
  std::vector<LoopWorker*> out;
  for (const auto& worker : workers_) out.push_back(worker.get());
  return out;
}

std::vector<LoopWorker*> Server::all_workers() const {
  std::vector<LoopWorker*> all = homes();
  all.push_back(admin_.get());
  return all;
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
  } else if (all.first_user) {  // no password belongs into a log
    base::log_warn("server", "the console's user '{}' was made; 'mooring user reset {} --data {}' prints a password",
                   all.first_user->name, all.first_user->name, all.data.string());
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

void tell_changes(const std::vector<OptionChange>& changes) {
  for (const OptionChange& change : changes) {
    if (change.reloadable) {
      base::log_info("server", "reload: {} changed", change.name);
    } else {
      base::log_warn("server", "reload: {} changed, but takes effect with the next start only", change.name);
    }
  }
}

void Server::reload() {
  const auto loaded = load_options(options_.sources);
  if (!loaded) {
    base::log_error("server", "reload: the configuration is wrong and the old one stays:\n{}",
                    describe(loaded.error()));
    return;
  }
  tell_changes(changed_options(options_, *loaded));
  Options next = with_reloadable(options_, *loaded);
  if (auto renewed = certificates_->reload(next.tls); !renewed) {
    base::log_error("server", "reload: the certificates stay as they were: {}", renewed.error().message);
    next.tls = options_.tls;
  }
  options_ = std::move(next);
  spread_options();
  hand_out_certificates();
  trust_->start(options_.tls.expiry_warning_days);
  base::log_info("server", "reload: done");
}

void Server::spread_options() {
  base::set_log_level(options_.log.level);
  limiter_->set_limits(sign_in_limits(options_));
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
