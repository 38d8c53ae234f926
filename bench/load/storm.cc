// storm: everybody connects at once, as after a power cut, while others are at work: how long it takes until all are
// in, and what those others notice. Once with a server that has not seen them, and again after all have been cut off.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "crowd.h"
#include "histogram.h"
#include "process_stats.h"
#include "scenarios.h"
#include "traffic.h"

namespace mooring::bench {
namespace {

struct StormOptions {
  CrowdOptions crowd;  // its `run` is that of the whole
  Pace pace{.per_second = 1'000};
  double quiet_s = 3;
  double longest_s = 60;  // until all must be in
  double pause_s = 3;     // after they were cut off
  double give_up_s = 10;  // a try that takes longer
};

// Those who want in. One that the server gives up, or that takes too long, is opened again after a second, as a device
// does: a SYN that finds a full queue is repeated by the kernel after 1, 3, 7, 15 ... s, which nobody waits for.
class Storming final : public CrowdMember {
 public:
  Storming(const StormOptions& options, CrowdBoard& board, std::uint32_t place)
      : CrowdMember(options.crowd, board, place, "storming"), options_(options) {}

 private:
  static constexpr std::int64_t kRetryNs = kSecond;

  struct Due {
    std::int64_t at_ns;
    std::uint32_t number;
  };

  void add_device(const Identity& device, std::uint32_t) override {
    add_connection(device.sign_in, {device.down, options_.pace.qos}, true);
    in_.push_back(false);
    began_ns_.push_back(0);
  }

  void begin_round(std::int64_t begin_ns) override {
    begun_ns_ = begin_ns;
    in_.assign(in_.size(), false);
    for (std::uint32_t i = 0; i < in_.size(); ++i) tries_.push_back({begin_ns, i});
  }

  bool may_try() const { return under_way_ < options_.crowd.at_once && !tries_.empty(); }
  void work() override {
    while (may_try() && tries_.front().at_ns <= now()) {
      const std::uint32_t number = tries_.front().number;
      tries_.pop_front();
      ++under_way_;
      ++counts().attempts;
      patience_.push_back({now() + give_up_ns(), number});
      began_ns_[number] = now();
      connections()[number]->open();
    }
    while (!patience_.empty() && patience_.front().at_ns <= now()) {
      give_up(patience_.front());
      patience_.pop_front();
    }
  }
  std::int64_t next_work_ns() const override {
    return std::min(may_try() ? tries_.front().at_ns : kNever, patience_.empty() ? kNever : patience_.front().at_ns);
  }

  std::int64_t give_up_ns() const { return std::llround(options_.give_up_s * 1e9); }
  void give_up(const Due& end) {
    Connection& connection = *connections()[end.number];
    const bool of_this_try = began_ns_[end.number] == end.at_ns - give_up_ns();
    if (in_[end.number] || !of_this_try || connection.closed()) return;
    connection.reset();
    on_lost(connection, "it took too long");
  }

  // As a power cut ends them: without a word.
  void end_round() override {
    for (const auto& connection : connections()) connection->reset();
    tries_.clear();
    patience_.clear();
    under_way_ = 0;
  }

  void on_open(Connection& connection) override {
    --under_way_;
    in_[connection.number()] = true;
    count_opened(connection, now() - begun_ns_);
  }
  void on_lost(Connection& connection, std::string_view) override {
    if (in_[connection.number()]) {
      ++counts().lost;
      return;
    }
    --under_way_;
    count_lost(connection);
    tries_.push_back({now() + kRetryNs, connection.number()});
  }

  const StormOptions& options_;
  std::deque<Due> tries_;               // to begin
  std::deque<Due> patience_;            // with those that began, and their ends
  std::vector<bool> in_;                // by connection
  std::vector<std::int64_t> began_ns_;  // likewise: the last try
  std::int64_t begun_ns_ = 0;
  std::uint32_t under_way_ = 0;
};

// Those who were there before.
class Storm final : public Traffic {
 public:
  Storm(const StormOptions& options, std::unique_ptr<Crowd> crowd)
      : Traffic(options.crowd.run, "storm"), options_(options), crowd_(std::move(crowd)) {}

 private:
  enum class Phase : std::uint8_t { kQuiet, kStorm, kCut };
  struct Round {
    double seconds = 0;  // until all were in; 0: they never were
    double server_cpu_s = 0;
    Histogram delays;
  };

  base::Result<> plan() override {
    if (options_.crowd.measured >= options().connections) {
      return base::fail(base::Errc::kInvalidArgument, "there must be more connections than established ones");
    }
    return add_echoes(add_group("established", options_.pace), options_.crowd.measured);
  }

  static std::int64_t ns(double seconds) { return std::llround(seconds * 1e9); }
  double server_cpu_s() const { return process_cpu_s(options().server_pid); }
  bool storms() const { return phase_ == Phase::kStorm; }

  void begin() override {
    Traffic::begin();
    next_ns_ = now() + ns(options_.quiet_s + options().warm_up_s);
  }

  void turn() override {
    if (storms() && crowd_->accepted() == options_.crowd.size()) end_round();
    if (now() >= next_ns_) {
      if (storms()) {
        fail(fmt::format("only {} of {} are in", crowd_->accepted(), options_.crowd.size()));
      } else if (begun_ < options_.crowd.rounds) {
        begin_round();
      } else {
        stop();
      }
    }
    Traffic::turn();
  }

  void begin_round() {
    phase_ = Phase::kStorm;
    round_from_ns_ = now();
    next_ns_ = now() + ns(options_.longest_s);
    rounds_[begun_++].server_cpu_s = -server_cpu_s();
    crowd_->begin_round(now());
  }

  void end_round() {
    phase_ = Phase::kCut;
    Round& round = rounds_[begun_ - 1];
    round.seconds = static_cast<double>(now() - round_from_ns_) / 1e9;
    round.server_cpu_s += server_cpu_s();
    crowd_->end_round(now());
    next_ns_ = now() + ns(options_.pause_s);
  }

  void delivered(std::int64_t delay_ns) override {
    Histogram& delays = phase_ == Phase::kQuiet ? quiet_ : storms() ? rounds_[begun_ - 1].delays : cut_;
    delays.add(delay_ns);
  }

  bool succeeded() const override {
    const auto all_in = [&](std::uint32_t round) {
      return rounds_[round].seconds > 0 && found_[round].accepted == options_.crowd.size() && found_[round].lost == 0;
    };
    for (std::uint32_t round = 0; round < options_.crowd.rounds; ++round) {
      if (!all_in(round)) return false;
    }
    return Traffic::succeeded();
  }
  std::string progress() const override { return storms() ? fmt::format("{} are in", crowd_->accepted()) : "quiet"; }

  void report(ResultLine& line) override {
    found_ = crowd_->finish();
    line.add("established", options_.crowd.measured);
    line.add("storm", options_.crowd.size());
    line.add("stormProcesses", options_.crowd.processes);
    report_delays(line, "quiet", quiet_);
    for (std::uint32_t round = 0; round < begun_; ++round) {
      report_round(line, round == 0 ? "storm" : fmt::format("storm{}", round + 1), rounds_[round], found_[round]);
    }
    report_delays(line, "cut", cut_);
    Traffic::report(line);
  }

  void report_round(ResultLine& line, const std::string& name, const Round& round, const CrowdReport& found) const {
    const double in = std::max<double>(1, static_cast<double>(found.accepted));
    line.add(name + "Opened", found.accepted);
    line.add(name + "Attempts", found.attempts);
    line.add(name + "TurnedAway", found.turned_away);
    line.add(name + "Refused", found.refused);
    line.add(name + "Unanswered", found.closed);
    line.add(name + "Lost", found.lost);
    line.add(name + "Resumed", found.resumed);
    line.add(name + "Seconds", round.seconds);
    line.add(name + "ServerCpuMicrosecondsPerConnect", round.seconds > 0 ? round.server_cpu_s * 1e6 / in : 0);
    line.add(name + "CrowdCpuMicrosecondsPerConnect", found.cpu_s * 1e6 / in);
    line.add(name + "OpenP50Us", found.waits.quantile_us(0.5));
    line.add(name + "OpenP99Us", found.waits.quantile_us(0.99));
    line.add(name + "OpenMaxUs", found.waits.max_us());
    report_delays(line, name, round.delays);
    const double quiet_us = quiet_.quantile_us(0.99);
    line.add(name + "ToQuietP99", quiet_us > 0 ? round.delays.quantile_us(0.99) / quiet_us : 0);
  }

  static void report_delays(ResultLine& line, const std::string& name, const Histogram& delays) {
    line.add(name + "DelayP50Us", delays.quantile_us(0.5));
    line.add(name + "DelayP99Us", delays.quantile_us(0.99));
    line.add(name + "DelayMaxUs", delays.max_us());
  }

  const StormOptions options_;
  const std::unique_ptr<Crowd> crowd_;
  std::vector<CrowdReport> found_;
  std::array<Round, kMaxCrowdRounds> rounds_;
  Histogram quiet_;
  Histogram cut_;  // after all of a storm were cut off
  Phase phase_ = Phase::kQuiet;
  std::uint32_t begun_ = 0;  // rounds
  std::int64_t round_from_ns_ = 0;
  std::int64_t next_ns_ = 0;  // when this phase has to end
};

int run_storm(StormOptions options) {
  auto crowd = Crowd::start(options.crowd, [&options](const CrowdOptions& own, CrowdBoard& board, std::uint32_t place) {
    StormOptions of_this = options;
    of_this.crowd = own;
    return Storming(of_this, board, place).run();
  });
  if (!crowd) {
    fmt::print(stderr, "mooring-bench: {}\n", crowd.error().message);
    return 1;
  }
  options.longest_s = options.crowd.run.duration_s;
  options.crowd.run.duration_s = options.quiet_s + options.crowd.rounds * (options.longest_s + options.pause_s) + 1;
  return Storm(options, std::move(*crowd)).run();
}

}  // namespace

void add_storm_command(CLI::App& app, int& exit_status) {
  auto options = std::make_shared<StormOptions>();
  CrowdOptions& crowd = options->crowd;
  crowd.run.connections = 1'000;
  crowd.run.duration_s = 60;
  crowd.measured = 100;
  crowd.at_once = kMaxConnections;
  CLI::App* command =
      app.add_subcommand("storm", "All connect at once while some are at work: how long, and what those notice");
  add_run_options(*command, crowd.run, "Connections, the established ones included");
  add_pace_options(*command, options->pace);
  add_crowd_options(*command, crowd, "storm");
  command->add_option("--established", crowd.measured, "Connections that are there before, publishing to themselves")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  command->add_option("--storms", crowd.rounds, "How often; before each but the first all are cut off")
      ->check(CLI::Range(1U, kMaxCrowdRounds))
      ->capture_default_str();
  command->add_option("--quiet-seconds", options->quiet_s, "How long those are measured before the storm")
      ->check(CLI::Range(0.1, 600.0))
      ->capture_default_str();
  command->add_option("--pause", options->pause_s, "Seconds after a storm was cut off")
      ->check(CLI::Range(0.1, 600.0))
      ->capture_default_str();
  command->add_option("--give-up", options->give_up_s, "Seconds after which a try is given up and begun anew")
      ->check(CLI::Range(0.1, 600.0))
      ->capture_default_str();
  command->callback([options, &exit_status] { exit_status = run_storm(*options); });
}

}  // namespace mooring::bench
