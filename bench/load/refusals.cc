// refusals: devices with wrong secrets try to get in, again and again as firmware does, while good ones are at work:
// what refusing costs the server, and what the good ones notice (connection.md 4.5, docs/adr/0013).
#include <fmt/format.h>
#include <stdlib.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cmath>
#include <memory>
#include <utility>

#include "bad_devices.h"
#include "histogram.h"
#include "process_stats.h"
#include "scenarios.h"
#include "traffic.h"

namespace mooring::bench {
namespace {

struct RefusalsOptions {
  BadDevicesOptions bad;  // its `run` is that of the whole
  Pace pace{.per_second = 1'000};
  double quiet_s = 5;
};

double ratio(double of, double to) {
  return to > 0 ? of / to : 0;
}

// The good ones; the bad ones are other processes.
class Refusals final : public Traffic {
 public:
  Refusals(const RefusalsOptions& options, std::unique_ptr<BadDevices> bad)
      : Traffic(options.bad.run, "refusals"), options_(options), bad_(std::move(bad)) {}

 private:
  base::Result<> plan() override {
    const auto& fleet = identities().fleet();
    if (options_.bad.good >= fleet.size()) {
      return base::fail(base::Errc::kInvalidArgument, "there must be more connections than good ones");
    }
    const std::size_t group = add_group("good", options_.pace);
    for (std::size_t i = 0; i < options_.bad.good; ++i) {
      Connection& connection = add_connection(fleet[i].sign_in, {fleet[i].echo, options_.pace.qos});
      const auto added = add_flow(group, connection, fleet[i].echo, connection.number(), 1);
      if (!added) return added;
    }
    return {};
  }

  std::uint32_t bad_count() const { return options_.bad.run.connections - options_.bad.good; }
  double server_cpu_s() const { return process_cpu_s(options().server_pid); }

  void begin() override {
    Traffic::begin();
    quiet_cpu_s_ = -server_cpu_s();
  }

  void begin_storm() {
    if (!bad_->ready()) return fail("the bad devices were not ready in time");
    storm_from_ns_ = now();
    const double cpu_s = server_cpu_s();
    quiet_cpu_s_ += cpu_s;
    storm_cpu_s_ = -cpu_s;
    bad_->begin(now());
  }

  void turn() override {
    const auto quiet_ns = std::llround((options_.quiet_s + options().warm_up_s) * 1e9);
    if (storm_from_ns_ == 0 && now() - begun_at() >= quiet_ns) begin_storm();
    Traffic::turn();
  }

  void delivered(std::int64_t delay_ns) override { (storm_from_ns_ == 0 ? quiet_ : stormy_).add(delay_ns); }

  void stop() override {
    if (!std::exchange(ended_, true)) {
      bad_->end(now());
      storm_s_ = static_cast<double>(now() - storm_from_ns_) / 1e9;
      storm_cpu_s_ += server_cpu_s();
    }
    Traffic::stop();
  }

  std::uint64_t answers() const { return found_.refused + found_.turned_away + found_.closed; }
  bool succeeded() const override {
    return storm_from_ns_ > 0 && answers() > 0 && found_.accepted == 0 && Traffic::succeeded();
  }

  void report(ResultLine& line) override {
    found_ = bad_->finish();
    std::array<double, 1> load{};
    ::getloadavg(load.data(), 1);
    line.add("good", options_.bad.good);
    line.add("bad", bad_count());
    line.add("badProcesses", options_.bad.processes);
    line.add("loadAverage", load[0]);
    line.add("stormSeconds", storm_s_);
    report_tries(line);
    report_delays(line);
    Traffic::report(line);
  }

  void report_tries(ResultLine& line) const {
    const auto intended = static_cast<double>(BadDevices::intended_tries(options_.bad, storm_s_));
    const double quiet_share = quiet_cpu_s_ / (options_.quiet_s + options().warm_up_s);
    line.add("triesIntended", std::llround(intended));
    line.add("tries", found_.attempts);
    line.add("triesToIntended", ratio(static_cast<double>(found_.attempts), intended));
    line.add("refusedWithCode4", found_.refused);
    line.add("turnedAwayWithCode3", found_.turned_away);
    line.add("closedUnanswered", found_.closed);
    line.add("accepted", found_.accepted);
    line.add("refusalsPerSecond", std::llround(ratio(static_cast<double>(answers()), storm_s_)));
    line.add("refusalP50Us", found_.answers.quantile_us(0.5));
    line.add("refusalP99Us", found_.answers.quantile_us(0.99));
    line.add("quietServerCpuShare", quiet_share);
    line.add("stormServerCpuShare", ratio(storm_cpu_s_, storm_s_));
    line.add("badCpuShare", ratio(found_.cpu_s, storm_s_));
    line.add("serverCpuMicrosecondsPerRefusal",
             ratio((storm_cpu_s_ - quiet_share * storm_s_) * 1e6, static_cast<double>(answers())));
  }

  void report_delays(ResultLine& line) const {
    line.add("quietDelayP50Us", quiet_.quantile_us(0.5));
    line.add("quietDelayP99Us", quiet_.quantile_us(0.99));
    line.add("quietDelayMaxUs", quiet_.max_us());
    line.add("stormDelayP50Us", stormy_.quantile_us(0.5));
    line.add("stormDelayP99Us", stormy_.quantile_us(0.99));
    line.add("stormDelayMaxUs", stormy_.max_us());
    line.add("stormToQuietP50", ratio(stormy_.quantile_us(0.5), quiet_.quantile_us(0.5)));
    line.add("stormToQuietP99", ratio(stormy_.quantile_us(0.99), quiet_.quantile_us(0.99)));
  }

  const RefusalsOptions options_;
  const std::unique_ptr<BadDevices> bad_;
  BadDevicesReport found_;
  Histogram quiet_;
  Histogram stormy_;
  std::int64_t storm_from_ns_ = 0;
  double storm_s_ = 0;
  double quiet_cpu_s_ = 0;
  double storm_cpu_s_ = 0;
  bool ended_ = false;
};

int run_refusals(RefusalsOptions options) {
  auto bad = BadDevices::start(options.bad);
  if (!bad) {
    fmt::print(stderr, "mooring-bench: {}\n", bad.error().message);
    return 1;
  }
  options.bad.run.duration_s += options.quiet_s;
  return Refusals(options, std::move(*bad)).run();
}

}  // namespace

void add_refusals_command(CLI::App& app, int& exit_status) {
  auto options = std::make_shared<RefusalsOptions>();
  BadDevicesOptions& bad = options->bad;
  bad.run.connections = 600;
  bad.good = 100;
  CLI::App* command =
      app.add_subcommand("refusals", "Wrong secrets again and again while good devices are at work: what those notice");
  add_run_options(*command, bad.run, "Devices, the good ones included");
  add_pace_options(*command, options->pace);
  command->add_option("--good", bad.good, "Devices with the right secret, publishing to themselves")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  command->add_option("--quiet-seconds", options->quiet_s, "How long those are measured before the storm")
      ->check(CLI::Range(0.1, 600.0))
      ->capture_default_str();
  command->add_option("--bad-processes", bad.processes, "Processes that the bad devices are divided among")
      ->check(CLI::Range(1U, kMaxBadProcesses))
      ->capture_default_str();
  command->add_option("--bad-at-once", bad.at_once, "Tries under way at most, of each of these processes")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  command->add_option("--bad-nice", bad.nice, "How much those step back where processors are short (nice)")
      ->check(CLI::Range(0, 19))
      ->capture_default_str();
  command->add_option("--every", bad.every_s, "Seconds between the tries of a bad device")
      ->check(CLI::Range(0.01, 3'600.0))
      ->capture_default_str();
  command->add_option("--tries", bad.tries, "Half of the bad ones: so many tries 2 s apart, then a pause; 0: none")
      ->check(CLI::Range(0, 1'000))
      ->capture_default_str();
  command->add_option("--pause", bad.pause_s, "Seconds of that pause")
      ->check(CLI::Range(0.1, 3'600.0))
      ->capture_default_str();
  command->callback([options, &exit_status] { exit_status = run_refusals(*options); });
}

}  // namespace mooring::bench
