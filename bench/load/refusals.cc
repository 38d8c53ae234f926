// refusals: devices with wrong secrets try to get in, again and again as firmware does, while good ones are at work:
// what refusing costs the server, and what the good ones notice (connection.md 4.5, docs/adr/0013).
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <deque>
#include <memory>
#include <queue>
#include <vector>

#include "histogram.h"
#include "process_stats.h"
#include "scenarios.h"
#include "traffic.h"

namespace mooring::bench {
namespace {

struct RefusalsOptions {
  RunOptions run;
  Pace pace{.per_second = 1'000};
  std::uint32_t good = 100;
  double quiet_s = 5;
  double every_s = 1;
  std::uint32_t tries = 0;
  double pause_s = 30;
};

// Half of the bad ones try every --every seconds for ever; the other half, with --tries, so often and then pause, as C
// firmware does (8 tries, 2 s apart).
class Refusals final : public Traffic {
 public:
  explicit Refusals(const RefusalsOptions& options) : Traffic(options.run, "refusals"), options_(options) {}

 private:
  struct Due {
    std::int64_t at_ns;
    std::uint32_t number;
    bool operator>(const Due& other) const { return at_ns > other.at_ns; }
  };

  base::Result<> plan() override {
    const auto& fleet = identities().fleet();
    if (options_.good >= fleet.size()) {
      return base::fail(base::Errc::kInvalidArgument, "there must be more connections than good ones");
    }
    const std::size_t group = add_group("good", options_.pace);
    for (std::size_t i = 0; i < fleet.size(); ++i) {
      if (i >= options_.good) {
        wrong_.push_back(fleet[i].sign_in);
        wrong_.back().password.assign(fleet[i].sign_in.password.size(), '0');
        add_connection(wrong_.back(), {}, true);
        continue;
      }
      Connection& connection = add_connection(fleet[i].sign_in, {fleet[i].echo, options_.pace.qos});
      const auto added = add_flow(group, connection, fleet[i].echo, connection.number(), 1);
      if (!added) return added;
    }
    tried_.resize(fleet.size());
    started_ns_.resize(fleet.size());
    return {};
  }

  std::uint32_t bad() const { return static_cast<std::uint32_t>(connections().size()) - options_.good; }
  bool bursts(std::uint32_t number) const { return options_.tries > 0 && number % 2 == 0; }
  static std::int64_t ns(double seconds) { return std::llround(seconds * 1e9); }

  void begin() override {
    Traffic::begin();
    quiet_cpu_s_ = -process_cpu_s(options().server_pid);
  }

  // They do not all begin at once: that would be another scenario.
  void begin_storm() {
    storm_from_ns_ = now();
    quiet_cpu_s_ += process_cpu_s(options().server_pid);
    storm_cpu_s_ = -process_cpu_s(options().server_pid);
    for (std::uint32_t i = 0; i < bad(); ++i) {
      due_.push({now() + ns(options_.every_s) * i / bad(), options_.good + i});
    }
  }

  // Opened here and not by Run: to be refused is not to be lost.
  void turn() override {
    if (storm_from_ns_ == 0 && now() - begun_at() >= ns(options_.quiet_s + options().warm_up_s)) begin_storm();
    while (!ended_ && !due_.empty() && due_.top().at_ns <= now()) {
      Connection& connection = *connections()[due_.top().number];
      due_.pop();
      started_ns_[connection.number()] = now();
      ++attempts_;
      connection.open();
    }
    Traffic::turn();
  }
  std::int64_t wake_ns() const override {
    const std::int64_t next = ended_ || due_.empty() ? kNever : due_.top().at_ns;
    return std::min(next, Traffic::wake_ns());
  }

  void on_open(Connection& connection) override {
    if (connection.number() < options_.good) return Run::on_open(connection);
    connection.close();
    fail("a wrong secret was accepted");
  }

  void on_lost(Connection& connection, std::string_view why) override {
    if (connection.number() < options_.good) return Run::on_lost(connection, why);
    const std::uint32_t number = connection.number();
    switch (connection.connack_code()) {
      case 3:
        ++turned_away_;
        break;
      case 4:
        ++refused_;
        break;
      default:
        ++closed_;
    }
    refusals_.add(now() - started_ns_[number]);
    std::int64_t next = ns(bursts(number) ? 2 : options_.every_s);
    if (bursts(number) && ++tried_[number] % options_.tries == 0) next = ns(options_.pause_s);
    due_.push({std::max(now(), started_ns_[number] + next), number});
  }

  void delivered(std::int64_t delay_ns) override { (storm_from_ns_ == 0 ? quiet_ : stormy_).add(delay_ns); }

  void stop() override {
    if (!std::exchange(ended_, true)) {
      storm_ns_ = now() - storm_from_ns_;
      storm_cpu_s_ += process_cpu_s(options().server_pid);
    }
    Traffic::stop();
  }

  bool succeeded() const override { return storm_from_ns_ > 0 && answers() > 0 && Traffic::succeeded(); }
  std::string progress() const override { return fmt::format("{} refused", answers()); }
  std::uint64_t answers() const { return refused_ + turned_away_ + closed_; }

  void report(ResultLine& line) override {
    const double seconds = static_cast<double>(storm_ns_) / 1e9;
    line.add("good", options_.good);
    line.add("bad", bad());
    line.add("stormSeconds", seconds);
    line.add("attempts", attempts_);
    line.add("refusedWithCode4", refused_);
    line.add("turnedAwayWithCode3", turned_away_);
    line.add("closedUnanswered", closed_);
    line.add("refusalsPerSecond", seconds > 0 ? std::llround(static_cast<double>(answers()) / seconds) : 0);
    line.add("refusalP50Us", refusals_.quantile_us(0.5));
    line.add("refusalP99Us", refusals_.quantile_us(0.99));
    const double quiet_share = quiet_cpu_s_ / (options_.quiet_s + options().warm_up_s);
    line.add("quietServerCpuShare", quiet_share);
    line.add("stormServerCpuShare", seconds > 0 ? storm_cpu_s_ / seconds : 0);
    line.add("serverCpuMicrosecondsPerRefusal",
             answers() > 0 ? (storm_cpu_s_ - quiet_share * seconds) * 1e6 / static_cast<double>(answers()) : 0);
    line.add("quietDelayP50Us", quiet_.quantile_us(0.5));
    line.add("quietDelayP99Us", quiet_.quantile_us(0.99));
    line.add("quietDelayMaxUs", quiet_.max_us());
    line.add("stormDelayP50Us", stormy_.quantile_us(0.5));
    line.add("stormDelayP99Us", stormy_.quantile_us(0.99));
    line.add("stormDelayMaxUs", stormy_.max_us());
    Traffic::report(line);
  }

  const RefusalsOptions options_;
  std::deque<SignIn> wrong_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  std::vector<std::uint32_t> tried_;      // by connection
  std::vector<std::int64_t> started_ns_;  // likewise
  Histogram refusals_;
  Histogram quiet_;
  Histogram stormy_;
  std::uint64_t attempts_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t turned_away_ = 0;
  std::uint64_t closed_ = 0;
  std::int64_t storm_from_ns_ = 0;
  std::int64_t storm_ns_ = 0;
  double quiet_cpu_s_ = 0;
  double storm_cpu_s_ = 0;
  bool ended_ = false;
};

}  // namespace

void add_refusals_command(CLI::App& app, int& exit_status) {
  auto options = std::make_shared<RefusalsOptions>();
  options->run.connections = 600;
  CLI::App* command =
      app.add_subcommand("refusals", "Wrong secrets again and again while good devices are at work: what those notice");
  add_run_options(*command, options->run, "Devices, the good ones included");
  add_pace_options(*command, options->pace);
  command->add_option("--good", options->good, "Devices with the right secret, publishing to themselves")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  command->add_option("--quiet-seconds", options->quiet_s, "How long those are measured before the storm")
      ->check(CLI::Range(0.1, 600.0))
      ->capture_default_str();
  command->add_option("--every", options->every_s, "Seconds between the tries of a bad device")
      ->check(CLI::Range(0.01, 3'600.0))
      ->capture_default_str();
  command->add_option("--tries", options->tries, "Half of the bad ones: so many tries 2 s apart, then a pause; 0: none")
      ->check(CLI::Range(0, 1'000))
      ->capture_default_str();
  command->add_option("--pause", options->pause_s, "Seconds of that pause")
      ->check(CLI::Range(0.1, 3'600.0))
      ->capture_default_str();
  command->callback([options, &exit_status] {
    options->run.duration_s += options->quiet_s;
    exit_status = Refusals(*options).run();
  });
}

}  // namespace mooring::bench
