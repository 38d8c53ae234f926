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
  BadDevicesOptions bad;  // the `run` of its crowd is that of the whole
  Pace pace{.per_second = 1'000};
  double quiet_s = 5;
};

double ratio(double of, double to) {
  return to > 0 ? of / to : 0;
}

// The good ones; the bad ones are other processes.
class Refusals final : public Traffic {
 public:
  Refusals(const RefusalsOptions& options, std::unique_ptr<Crowd> bad)
      : Traffic(options.bad.crowd.run, "refusals"), options_(options), bad_(std::move(bad)) {}

 private:
  base::Result<> plan() override {
    if (good() >= options().connections) {
      return base::fail(base::Errc::kInvalidArgument, "there must be more connections than good ones");
    }
    return add_echoes(add_group("good", options_.pace), good());
  }

  std::uint32_t good() const { return options_.bad.crowd.measured; }
  double server_cpu_s() const { return process_cpu_s(options().server_pid); }

  void begin() override {
    Traffic::begin();
    quiet_cpu_s_ = -server_cpu_s();
  }

  void begin_storm() {
    storm_from_ns_ = now();
    const double cpu_s = server_cpu_s();
    quiet_cpu_s_ += cpu_s;
    storm_cpu_s_ = -cpu_s;
    bad_->begin_round(now());
  }

  void turn() override {
    const auto quiet_ns = std::llround((options_.quiet_s + options().warm_up_s) * 1e9);
    if (storm_from_ns_ == 0 && now() - begun_at() >= quiet_ns) begin_storm();
    Traffic::turn();
  }

  void delivered(std::int64_t delay_ns) override { (storm_from_ns_ == 0 ? quiet_ : stormy_).add(delay_ns); }

  void stop() override {
    if (!std::exchange(ended_, true)) {
      bad_->end_round(now());
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
    found_ = std::move(bad_->finish().front());
    std::array<double, 1> load{};
    ::getloadavg(load.data(), 1);
    line.add("good", good());
    line.add("bad", options_.bad.crowd.size());
    line.add("badProcesses", options_.bad.crowd.processes);
    line.add("loadAverage", load[0]);
    line.add("stormSeconds", storm_s_);
    report_tries(line);
    report_delays(line);
    Traffic::report(line);
  }

  void report_tries(ResultLine& line) const {
    const auto intended = static_cast<double>(intended_tries(options_.bad, storm_s_));
    const double quiet_share = quiet_cpu_s_ / (options_.quiet_s + options().warm_up_s);
    line.add("triesIntended", std::llround(intended));
    line.add("tries", found_.attempts);
    line.add("triesToIntended", ratio(static_cast<double>(found_.attempts), intended));
    line.add("refusedWithCode4", found_.refused);
    line.add("turnedAwayWithCode3", found_.turned_away);
    line.add("closedUnanswered", found_.closed);
    line.add("accepted", found_.accepted);
    line.add("refusalsPerSecond", std::llround(ratio(static_cast<double>(answers()), storm_s_)));
    line.add("refusalP50Us", found_.waits.quantile_us(0.5));
    line.add("refusalP99Us", found_.waits.quantile_us(0.99));
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
  const std::unique_ptr<Crowd> bad_;
  CrowdReport found_;
  Histogram quiet_;
  Histogram stormy_;
  std::int64_t storm_from_ns_ = 0;
  double storm_s_ = 0;
  double quiet_cpu_s_ = 0;
  double storm_cpu_s_ = 0;
  bool ended_ = false;
};

int run_refusals(RefusalsOptions options) {
  auto bad = start_bad_devices(options.bad);
  if (!bad) {
    fmt::print(stderr, "mooring-bench: {}\n", bad.error().message);
    return 1;
  }
  options.bad.crowd.run.duration_s += options.quiet_s;
  return Refusals(options, std::move(*bad)).run();
}

}  // namespace

void add_refusals_command(CLI::App& app, int& exit_status) {
  auto options = std::make_shared<RefusalsOptions>();
  BadDevicesOptions& bad = options->bad;
  bad.crowd.run.connections = 600;
  bad.crowd.measured = 100;
  CLI::App* command =
      app.add_subcommand("refusals", "Wrong secrets again and again while good devices are at work: what those notice");
  add_run_options(*command, bad.crowd.run, "Devices, the good ones included");
  add_pace_options(*command, options->pace);
  add_crowd_options(*command, bad.crowd, "bad");
  command->add_option("--good", bad.crowd.measured, "Devices with the right secret, publishing to themselves")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  command->add_option("--quiet-seconds", options->quiet_s, "How long those are measured before the storm")
      ->check(CLI::Range(0.1, 600.0))
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
