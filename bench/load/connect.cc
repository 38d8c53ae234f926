// connect: connections are opened, signed in and closed again, so many at a time or at a fixed rate: what a sign-in
// costs.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "histogram.h"
#include "process_stats.h"
#include "run.h"
#include "scenarios.h"

namespace mooring::bench {
namespace {

struct ConnectOptions {
  RunOptions run;
  double per_second = 0;
  std::uint64_t count = 0;
};

class Connect final : public Run {
 public:
  explicit Connect(const ConnectOptions& options) : Run(options.run, "connect"), options_(options) {}

 private:
  base::Result<> plan() override {
    for (const Identity& device : identities().fleet()) {
      free_.push_back(add_connection(device.sign_in, {}, true).number());
    }
    due_ns_.resize(connections().size());
    return {};
  }

  void begin() override {
    if (options_.count > 0 || options().warm_up_s == 0) begin_measuring();
  }

  void turn() override {
    wake_ns_ = now() + kSecond / 20;
    const auto since = [this](std::int64_t from) { return static_cast<double>(now() - from) / 1e9; };
    if (!measuring_ && !stopping_ && since(begun_at()) >= options().warm_up_s) begin_measuring();
    if (measuring_ && since(measured_from_ns_) >= options().duration_s) stop();
    for (const std::uint32_t number : std::exchange(closed_, {})) free_.push_back(number);
    while (may_start()) start();
    if (stopping_ && on_the_way_ == 0) finish();
    if (stopping_ && since(stopped_at_ns_) > options().grace_s) fail("connections are still opening");
  }
  std::int64_t wake_ns() const override { return wake_ns_; }

  bool may_start() {
    if (stopping_ || free_.empty() || on_the_way_ >= options().opening_at_once) return false;
    if (options_.count > 0 && started_ == options_.count) return false;
    if (options_.per_second == 0) return true;
    wake_ns_ = std::min(wake_ns_, due_ns());
    return due_ns() <= now();
  }
  // At a fixed rate delays count from when a connection was due, not from when it found a place.
  std::int64_t due_ns() const {
    return begun_at() + std::llround(static_cast<double>(started_) * 1e9 / options_.per_second);
  }
  void start() {
    const std::uint32_t number = free_.front();
    free_.pop_front();
    due_ns_[number] = options_.per_second > 0 ? due_ns() : now();
    ++started_;
    ++on_the_way_;
    open_later(*connections()[number]);
  }

  void on_open(Connection& connection) override {
    Run::on_open(connection);
    --on_the_way_;
    if (measuring_) {
      ++measured_;
      delays_.add(now() - due_ns_[connection.number()]);
      if (connection.tls_resumed()) ++resumed_;
    }
    close(connection);
    closed_.push_back(connection.number());
    if (++finished_ == options_.count) stop();
  }
  void lost_after_begin(Connection&) override { fail("a connection was refused or lost"); }

  void begin_measuring() {
    measuring_ = true;
    measured_from_ns_ = now();
    server_cpu_s_ = -process_cpu_s(options().server_pid);
    load_cpu_s_ = -own_cpu_s();
  }
  void stop() override {
    if (std::exchange(stopping_, true)) return;
    measuring_ = false;
    stopped_at_ns_ = now();
    measured_ns_ = now() - measured_from_ns_;
    server_cpu_s_ += process_cpu_s(options().server_pid);
    load_cpu_s_ += own_cpu_s();
  }

  bool succeeded() const override { return measured_ > 0; }
  std::string progress() const override { return fmt::format("{} signed in", finished_); }

  void report(ResultLine& line) override {
    const double seconds = static_cast<double>(measured_ns_) / 1e9;
    const auto count = static_cast<double>(measured_);
    line.add("atOnce", options().opening_at_once);
    if (options_.per_second > 0) line.add("ratePerSecond", options_.per_second);
    line.add("seconds", seconds);
    line.add("connects", measured_);
    line.add("connectsPerSecond", std::llround(seconds > 0 ? count / seconds : 0));
    line.add("resumed", resumed_);
    line.add("loadCpuSeconds", load_cpu_s_);
    if (options().server_pid > 0) {
      line.add("serverCpuSeconds", server_cpu_s_);
      line.add("serverCpuMicrosecondsPerConnect", measured_ > 0 ? server_cpu_s_ * 1e6 / count : 0);
      line.add("loadToServerCpu", server_cpu_s_ > 0 ? load_cpu_s_ / server_cpu_s_ : 0);
    }
    line.add("connectP50Us", delays_.quantile_us(0.5));
    line.add("connectP99Us", delays_.quantile_us(0.99));
    line.add("connectMaxUs", delays_.max_us());
  }

  const ConnectOptions options_;
  std::deque<std::uint32_t> free_;
  std::vector<std::uint32_t> closed_;  // in this turn
  std::vector<std::int64_t> due_ns_;   // by connection
  Histogram delays_;
  std::uint64_t started_ = 0;
  std::uint64_t finished_ = 0;
  std::uint64_t measured_ = 0;
  std::uint64_t resumed_ = 0;
  std::uint32_t on_the_way_ = 0;
  std::int64_t wake_ns_ = 0;
  std::int64_t measured_from_ns_ = 0;
  std::int64_t measured_ns_ = 0;
  std::int64_t stopped_at_ns_ = 0;
  double server_cpu_s_ = 0;
  double load_cpu_s_ = 0;
  bool measuring_ = false;
  bool stopping_ = false;
};

}  // namespace

void add_connect_command(CLI::App& app, int& exit_status) {
  auto options = std::make_shared<ConnectOptions>();
  options->run.opening_at_once = 16;
  CLI::App* command = app.add_subcommand("connect", "Open, sign in, close, again and again: the price of a CONNECT");
  add_run_options(*command, options->run, "Identities that take turns");
  command->add_option("--rate", options->per_second, "Connections opened a second; 0: --opening at a time")
      ->check(CLI::Range(0.0, 1e6));
  command->add_option("--count", options->count, "End after that many connections; 0: after --seconds");
  command->callback([options, &exit_status] { exit_status = Connect(*options).run(); });
}

}  // namespace mooring::bench
