#include "fleet.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "measure.h"

namespace mooring::bench {
namespace {

constexpr rlim_t kOwnDescriptors = 64;  // besides the connections

// Up to the hard limit, which is the operator's to raise.
base::Result<> raise_descriptor_limit(std::uint32_t connections) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t needed = connections + kOwnDescriptors;
  if (limit.rlim_max < needed) {
    return base::fail(base::Errc::kLimitExceeded,
                      fmt::format("{} connections need {} descriptors, the hard limit (ulimit -Hn) is {}", connections,
                                  needed, limit.rlim_max));
  }
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return {};
}

}  // namespace

Fleet::Fleet(const FleetOptions& options, std::string scenario) : options_(options), scenario_(std::move(scenario)) {}

Fleet::~Fleet() {
  cancel();
}

int Fleet::run() {
  if (!prepare()) return 1;
  opened_at_ms_ = loop_->clock().mono_ms();
  open_server_cpu_s_ = -process_cpu_seconds(options_.server_pid);
  loop_->timers().schedule(*this, opened_at_ms_ + kTickMs);
  loop_->post([this] { open_more(); });
  loop_->run();
  print_result();
  close_all();
  return lost_ == 0 && begun_ && succeeded() ? 0 : 1;
}

bool Fleet::prepare() {
  const auto limit = raise_descriptor_limit(options_.connections);
  auto target = parse_target(options_.url, options_.ca_file);
  auto loop = net::Loop::create();
  const auto complain = [](const base::Error& error) {
    fmt::print(stderr, "mooring-bench: {}\n", error.message);
    return false;
  };
  if (!limit) return complain(limit.error());
  if (!target) return complain(target.error());
  if (!loop) return complain(loop.error());
  target_ = std::move(*target);
  loop_ = std::move(*loop);
  auto devices = load_devices(options_.device_file, options_.connections, target_.tls != nullptr);
  if (!devices) return complain(devices.error());
  devices_ = std::move(*devices);
  for (Device& device : devices_) device.sign_in.clean_session = !keeps_session();
  clients_.reserve(devices_.size() + 1);
  for (const Device& device : devices_) add_client(target_, device.sign_in, topic_of(device), qos());
  before_opening();
  return !finished_;
}

Client& Fleet::add_client(const Target& target, const SignIn& sign_in, std::string topic, std::uint8_t qos) {
  const auto number = static_cast<std::uint32_t>(clients_.size());
  ClientOwner& owner = *this;
  clients_.push_back(std::make_unique<Client>(*loop_, target, sign_in, std::move(topic), qos, number, owner));
  return *clients_.back();
}

void Fleet::open_more() {
  while (!finished_ && next_to_open_ < clients_.size() &&
         next_to_open_ - ready_ - lost_ < std::max<std::size_t>(options_.opening_at_once, 1)) {
    clients_[next_to_open_++]->open();
  }
}

void Fleet::on_client_ready(Client&) {
  ++ready_;
  if (ready_ < clients_.size()) {
    // Not from within the client's own call: opening may fail at once and come back here.
    loop_->post([this] { open_more(); });
    return;
  }
  begun_at_ms_ = loop_->clock().mono_ms();
  open_s_ = static_cast<double>(begun_at_ms_ - opened_at_ms_) / 1000;
  open_server_cpu_s_ += process_cpu_seconds(options_.server_pid);
  begun_ = true;
  begin();
}

void Fleet::on_client_lost(Client& client, std::string_view why) {
  ++lost_;
  if (first_loss_.empty()) first_loss_ = fmt::format("client {}: {}", client.number(), why);
  if (finished_) return;
  if (begun_) {
    if (lost_ == clients_.size()) end();
    return;
  }
  note(fmt::format("{}: a connection failed while opening: {}", scenario_, first_loss_));
  finish();
}

void Fleet::on_timer(base::MonoMs now) {
  if (finished_) return;
  loop_->timers().schedule(*this, now + kTickMs);
  show_progress(now);
  if (begun_) {
    tick(now - begun_at_ms_);
  } else if (now - opened_at_ms_ > base::MonoMs{options_.open_timeout_s} * 1000) {
    note(fmt::format("{}: only {} of {} connections open in time", scenario_, ready_, clients_.size()));
    finish();
  }
}

void Fleet::show_progress(base::MonoMs now) {
  if (options_.quiet || isatty(STDERR_FILENO) == 0 || now - progress_at_ms_ < kProgressMs) return;
  progress_at_ms_ = now;
  fmt::print(stderr, "\r{}: {} of {} connections open{}", scenario_, ready_ - lost_, clients_.size(),
             begun_ ? ", running " : "         ");
}

void Fleet::note(const std::string& text) const {
  fmt::print(stderr, "mooring-bench: {}\n", text);
}

void Fleet::finish() {
  finished_ = true;
  loop_->stop();
}

void Fleet::close_all() {
  for (const auto& client : clients_) client->close();
}

void Fleet::print_result() {
  if (!options_.quiet && isatty(STDERR_FILENO) != 0) fmt::print(stderr, "\n");
  ResultLine line;
  line.add("scenario", scenario_);
  line.add("transport", target_.scheme);
  line.add("connections", options_.connections);
  line.add("connectionsOpened", ready_);
  line.add("connectionsLost", lost_);
  if (!first_loss_.empty()) line.add("firstLoss", first_loss_);
  if (begun_) {
    line.add("openSeconds", open_s_);
    line.add("openServerCpuSeconds", open_server_cpu_s_);
    report(line);
  }
  line.add("ok", begun_ && lost_ == 0 && succeeded());
  line.print();
}

}  // namespace mooring::bench
