// storm: everybody connects at once, as after a power cut, while others are at work: how long it takes until all are
// in, and what those others notice.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <vector>

#include "histogram.h"
#include "process_stats.h"
#include "scenarios.h"
#include "traffic.h"

namespace mooring::bench {
namespace {

struct StormOptions {
  RunOptions run;
  Pace pace{.per_second = 1'000};
  std::uint32_t established = 100;
  double quiet_s = 3;
};

// --seconds is the longest that the storm may take. A connection that the server gives up is opened again after a
// second, as a device does.
class Storm final : public Traffic {
 public:
  explicit Storm(const StormOptions& options) : Traffic(options.run, "storm"), options_(options) {}

 private:
  static constexpr std::int64_t kRetryNs = kSecond;

  struct Retry {
    std::int64_t at_ns;
    std::uint32_t number;
  };

  base::Result<> plan() override {
    const auto& fleet = identities().fleet();
    if (options_.established >= fleet.size()) {
      return base::fail(base::Errc::kInvalidArgument, "there must be more connections than established ones");
    }
    const std::size_t group = add_group("established", options_.pace);
    for (std::size_t i = 0; i < fleet.size(); ++i) {
      const bool storms = i >= options_.established;
      Connection& connection =
          add_connection(fleet[i].sign_in, {storms ? fleet[i].down : fleet[i].echo, options_.pace.qos}, storms);
      if (storms) continue;
      const auto added = add_flow(group, connection, fleet[i].echo, connection.number(), 1);
      if (!added) return added;
    }
    return {};
  }

  std::uint32_t storming() const { return static_cast<std::uint32_t>(connections().size()) - options_.established; }

  void turn() override {
    const std::int64_t quiet_ns = static_cast<std::int64_t>((options_.quiet_s + options().warm_up_s) * 1e9);
    if (storm_from_ns_ == 0 && now() - begun_at() >= quiet_ns) begin_storm();
    for (; !retries_.empty() && retries_.front().at_ns <= now(); retries_.pop_front()) {
      open_later(*connections()[retries_.front().number]);
    }
    Traffic::turn();
  }

  void begin_storm() {
    storm_from_ns_ = now();
    cpu_s_ = -process_cpu_s(options().server_pid);
    for (std::size_t i = options_.established; i < connections().size(); ++i) open_later(*connections()[i]);
  }

  void on_open(Connection& connection) override {
    Run::on_open(connection);
    if (connection.number() < options_.established) return;
    opened_.add(now() - storm_from_ns_);
    if (connection.tls_resumed()) ++resumed_;
    if (opened_.total() < storming()) return;
    storm_ns_ = now() - storm_from_ns_;
    cpu_s_ += process_cpu_s(options().server_pid);
    stop();
  }

  void on_lost(Connection& connection, std::string_view why) override {
    if (connection.number() < options_.established || storm_ns_ > 0) return Run::on_lost(connection, why);
    close(connection);
    ++retried_;
    retries_.push_back({now() + kRetryNs, connection.number()});
  }

  void delivered(std::int64_t delay_ns) override { (storm_from_ns_ == 0 ? quiet_ : stormy_).add(delay_ns); }

  bool succeeded() const override { return storm_ns_ > 0 && Traffic::succeeded(); }
  std::string progress() const override { return fmt::format("{} of the storm are in", opened_.total()); }

  void report(ResultLine& line) override {
    line.add("established", options_.established);
    line.add("storm", storming());
    line.add("stormOpened", opened_.total());
    line.add("stormRetried", retried_);
    line.add("stormResumed", resumed_);
    line.add("stormSeconds", static_cast<double>(storm_ns_) / 1e9);
    line.add("stormServerCpuSeconds", storm_ns_ > 0 ? cpu_s_ : 0.0);
    line.add("stormServerCpuMicrosecondsPerConnect", storm_ns_ > 0 ? cpu_s_ * 1e6 / storming() : 0.0);
    line.add("stormOpenP50Us", opened_.quantile_us(0.5));
    line.add("stormOpenP99Us", opened_.quantile_us(0.99));
    line.add("quietDelayP50Us", quiet_.quantile_us(0.5));
    line.add("quietDelayP99Us", quiet_.quantile_us(0.99));
    line.add("stormDelayP50Us", stormy_.quantile_us(0.5));
    line.add("stormDelayP99Us", stormy_.quantile_us(0.99));
    line.add("stormDelayMaxUs", stormy_.max_us());
    Traffic::report(line);
  }

  const StormOptions options_;
  std::deque<Retry> retries_;
  Histogram opened_;
  Histogram quiet_;
  Histogram stormy_;
  std::uint64_t retried_ = 0;
  std::uint64_t resumed_ = 0;
  std::int64_t storm_from_ns_ = 0;
  std::int64_t storm_ns_ = 0;
  double cpu_s_ = 0;
};

}  // namespace

void add_storm_command(CLI::App& app, int& exit_status) {
  auto options = std::make_shared<StormOptions>();
  options->run.connections = 1'000;
  options->run.opening_at_once = kMaxConnections;
  options->run.duration_s = 60;
  CLI::App* command =
      app.add_subcommand("storm", "All connect at once while some are at work: how long, and what those notice");
  add_run_options(*command, options->run, "Connections, the established ones included");
  add_pace_options(*command, options->pace);
  command
      ->add_option("--established", options->established, "Connections that are there before, publishing to themselves")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  command->add_option("--quiet-seconds", options->quiet_s, "How long those are measured before the storm")
      ->check(CLI::Range(0.1, 600.0))
      ->capture_default_str();
  command->callback([options, &exit_status] { exit_status = Storm(*options).run(); });
}

}  // namespace mooring::bench
