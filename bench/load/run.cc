#include "run.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "process_stats.h"

namespace mooring::bench {

using base::Errc;
using base::Result;

namespace {

constexpr std::uint8_t kNotNow = 3;     // CONNACK code
constexpr rlim_t kOwnDescriptors = 64;  // besides the connections

volatile sig_atomic_t interrupted = 0;

// Up to the hard limit, which is the operator's to raise.
Result<> raise_descriptor_limit(std::size_t connections) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t needed = connections + kOwnDescriptors;
  if (limit.rlim_max < needed) {
    return base::fail(Errc::kLimitExceeded,
                      fmt::format("{} connections need {} descriptors, the hard limit (ulimit -Hn) is {}", connections,
                                  needed, limit.rlim_max));
  }
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return {};
}

}  // namespace

Run::Run(const RunOptions& options, std::string scenario) : options_(options), scenario_(std::move(scenario)) {}

int Run::run() {
  const auto prepared = prepare();
  if (!prepared) {
    fmt::print(stderr, "mooring-bench: {}\n", prepared.error().message);
    return 1;
  }
  signal(SIGINT, [](int) { interrupted = 1; });
  signal(SIGTERM, [](int) { interrupted = 1; });
  open_server_cpu_s_ = -process_cpu_s(options_.server_pid);
  poller_->refresh();
  started_at_ns_ = ticked_at_ns_ = now();
  while (!finished_) {
    if (begun_) turn();
    open_more();  // after the turn, which may want more to be opened: nothing would wake us for that
    poller_->end_turn();
    poller_->wait(finished_ ? 0 : std::min(begun_ ? wake_ns() : kNever, ticked_at_ns_ + kTick));
    if (now() - ticked_at_ns_ >= kTick || interrupted != 0) tick();
  }
  print_result();
  for (const auto& connection : connections_) connection->close();
  return first_failure_.empty() && lost_ == 0 && begun_ && succeeded() ? 0 : 1;
}

Result<> Run::prepare() {
  auto target = parse_target(options_.url, options_.ca_file);
  if (!target) return tl::unexpected(target.error());
  target_ = std::move(*target);
  for (const std::string& source : options_.sources) {
    const auto address = net::SocketAddress::parse(source, 0);
    if (!address) return tl::unexpected(address.error());
    sources_.push_back(*address);
  }
  if (!options_.operator_folder.empty()) {
    auto socket = operator_target(options_.operator_folder);
    if (!socket) return tl::unexpected(socket.error());
    operator_target_ = std::move(*socket);
  }
  auto identities = Identities::make(options_, target_.tls != nullptr);
  if (!identities) return tl::unexpected(identities.error());
  identities_ = std::make_unique<Identities>(std::move(*identities));
  auto poller = Poller::create();
  if (!poller) return tl::unexpected(poller.error());
  poller_ = std::move(*poller);
  const auto planned = plan();
  if (!planned) return planned;
  planned_ = static_cast<std::uint32_t>(to_open_.size());
  return raise_descriptor_limit(connections_.size());
}

Connection& Run::add(const Target& target, const SignIn& sign_in, Subscription subscription, bool later) {
  const auto number = static_cast<std::uint32_t>(connections_.size());
  const bool is_unix = target.scheme == "unix";
  const net::SocketAddress* source = sources_.empty() || is_unix ? nullptr : &sources_[number % sources_.size()];
  ConnectionOwner& owner = *this;
  connections_.push_back(std::make_unique<Connection>(*poller_, target, sign_in, std::move(subscription), source,
                                                      number, options_.resumes_tls, owner));
  open_.push_back(false);
  if (!later) to_open_.push_back(number);
  return *connections_.back();
}

Connection& Run::add_connection(const SignIn& sign_in, Subscription subscription, bool later) {
  return add(target_, sign_in, std::move(subscription), later);
}

Connection& Run::add_back_end(Subscription subscription) {
  back_ends_.push_back(identities_->back_end(static_cast<std::uint32_t>(back_ends_.size())));
  if (options_.operator_folder.empty()) return add(target_, back_ends_.back(), std::move(subscription), false);
  back_ends_.back().username.clear();  // the socket is the permission
  return add(operator_target_, back_ends_.back(), std::move(subscription), false);
}

void Run::open_more() {
  // Told "not now", the rest waits for the next tick, too.
  while (!finished_ && !to_open_.empty() && refused_.empty() && opening_ < options_.opening_at_once) {
    const std::uint32_t number = to_open_.front();
    to_open_.pop_front();
    ++opening_;
    connections_[number]->open();
  }
  if (begun_ || finished_ || opened_ < planned_) return;
  begun_ = true;
  poller_->refresh();
  begun_at_ns_ = now();
  open_s_ = static_cast<double>(begun_at_ns_ - started_at_ns_) / 1e9;
  open_server_cpu_s_ += process_cpu_s(options_.server_pid);
  begin();
}

void Run::on_open(Connection& connection) {
  open_[connection.number()] = true;
  --opening_;
  ++opened_;
}

void Run::close(Connection& connection) {
  if (!connection.closed() && !open_[connection.number()]) --opening_;
  open_[connection.number()] = false;
  connection.close();
}

void Run::on_lost(Connection& connection, std::string_view why) {
  const bool was_open = open_[connection.number()];
  open_[connection.number()] = false;
  if (!was_open) --opening_;
  if (!begun_ && !was_open && connection.connack_code() == kNotNow) {
    ++retried_;
    refused_.push_back(connection.number());
    return;
  }
  ++lost_;
  if (!begun_ && !finished_) {
    fail(fmt::format("a connection failed while opening: client {}: {}", connection.number(), why));
    return;
  }
  if (first_failure_.empty()) first_failure_ = fmt::format("client {}: {}", connection.number(), why);
  if (!finished_) lost_after_begin(connection);
}

void Run::fail(std::string why) {
  fmt::print(stderr, "mooring-bench: {}: {}\n", scenario_, why);
  if (first_failure_.empty()) first_failure_ = std::move(why);
  finish();
}

void Run::tick() {
  ticked_at_ns_ = now();
  to_open_.insert(to_open_.end(), refused_.begin(), refused_.end());
  refused_.clear();
  show_progress();
  if (interrupted != 0 && !stopped_) {
    stopped_ = true;
    if (!begun_) return fail("interrupted while opening");
    stop();
  }
  if (!begun_ && now() - started_at_ns_ > std::int64_t{options_.open_timeout_s} * kSecond) {
    fail(fmt::format("only {} of {} connections open in time", opened_, planned_));
  }
}

void Run::show_progress() {
  if (options_.quiet || isatty(STDERR_FILENO) == 0 || now() - shown_at_ns_ < kSecond) return;
  shown_at_ns_ = now();
  fmt::print(stderr, "\r{}: {} of {} connections open, {}\033[K", scenario_, opened_ - std::min(lost_, opened_),
             planned_, begun_ ? progress() : "opening");
}

void Run::print_result() {
  if (shown_at_ns_ != 0) fmt::print(stderr, "\n");
  ResultLine line;
  line.add("scenario", scenario_);
  line.add("transport", target_.scheme);
  line.add("connections", connections_.size());
  line.add("connectionsOpened", opened_);
  line.add("connectionsLost", lost_);
  if (retried_ > 0) line.add("openRetries", retried_);
  if (!first_failure_.empty()) line.add("failure", first_failure_);
  if (stopped_) line.add("interrupted", true);
  if (begun_) {
    line.add("openSeconds", open_s_);
    line.add("openServerCpuSeconds", open_server_cpu_s_);
    report(line);
  }
  line.add("ok", first_failure_.empty() && begun_ && lost_ == 0 && succeeded());
  line.print();
}

}  // namespace mooring::bench
