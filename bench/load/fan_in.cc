// fanin: the fleet publishes, a back end hears everything. ingest: the same with nobody listening.
#include <CLI/CLI.hpp>
#include <memory>

#include "scenarios.h"
#include "traffic.h"

namespace mooring::bench {
namespace {

struct FanInOptions {
  RunOptions run;
  Pace pace{.window = 2};
  std::uint32_t subscribers = 1;  // each hears everything
};

class FanIn final : public Traffic {
 public:
  FanIn(const FanInOptions& options, std::string scenario)
      : Traffic(options.run, std::move(scenario)), options_(options) {}

 private:
  base::Result<> plan() override {
    for (std::uint32_t i = 0; i < options_.subscribers; ++i) add_back_end({identities().all_up(), options_.pace.qos});
    const std::size_t group = add_group("fanin", options_.pace);
    for (const Identity& device : identities().fleet()) {
      Connection& publisher = add_connection(device.sign_in, {});
      const auto added = add_flow(group, publisher, device.up, 0, options_.subscribers);
      if (!added) return added;
    }
    return {};
  }

  void report(ResultLine& line) override {
    line.add("publishers", identities().fleet().size());
    line.add("subscribers", options_.subscribers);
    Traffic::report(line);
  }

  const FanInOptions options_;
};

}  // namespace

void add_fan_in_command(CLI::App& app, int& exit_status) {
  auto options = std::make_shared<FanInOptions>();
  CLI::App* command = app.add_subcommand("fanin", "N publishers, one subscriber (a back end)");
  add_run_options(*command, options->run, "Publishers");
  add_pace_options(*command, options->pace);
  command->add_option("--subscribers", options->subscribers, "Back ends that listen, each to everything")
      ->check(CLI::Range(1, 1'000))
      ->capture_default_str();
  command->callback([options, &exit_status] { exit_status = FanIn(*options, "fanin").run(); });
}

void add_ingest_command(CLI::App& app, int& exit_status) {
  auto options = std::make_shared<FanInOptions>();
  options->subscribers = 0;
  options->pace.window = 16;
  CLI::App* command = app.add_subcommand(
      "ingest", "N publishers, nobody subscribed. With QoS 0 a PINGREQ after each window tells when it has been read");
  add_run_options(*command, options->run, "Publishers");
  add_pace_options(*command, options->pace);
  command->callback([options, &exit_status] { exit_status = FanIn(*options, "ingest").run(); });
}

}  // namespace mooring::bench
