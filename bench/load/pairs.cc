// pairs: N publishers with a subscriber of their own each.
#include <CLI/CLI.hpp>
#include <memory>

#include "scenarios.h"
#include "traffic.h"

namespace mooring::bench {
namespace {

struct PairsOptions {
  RunOptions run;
  Pace pace;
  bool echo = false;
  bool down = false;
};

class Pairs final : public Traffic {
 public:
  explicit Pairs(const PairsOptions& options) : Traffic(options.run, "pairs"), options_(options) {}

 private:
  base::Result<> plan() override {
    const std::size_t group = add_group("pairs", options_.pace);
    if (options_.echo) return add_echoes(group, options().connections);
    for (const Identity& device : identities().fleet()) {
      const auto added = add_pair(group, device);
      if (!added) return added;
    }
    return {};
  }

  base::Result<> add_pair(std::size_t group, const Identity& device) {
    const std::uint8_t qos = options_.pace.qos;
    if (options_.down) {
      Connection& subscriber = add_connection(device.sign_in, {device.down, qos});
      return add_flow(group, add_back_end({}), device.down, subscriber.number(), 1);
    }
    Connection& publisher = add_connection(device.sign_in, {});
    return add_flow(group, publisher, device.up, add_back_end({device.up, qos}).number(), 1);
  }

  void report(ResultLine& line) override {
    line.add("pairs", identities().fleet().size());
    line.add("kind", options_.echo ? "echo" : options_.down ? "down" : "up");
    Traffic::report(line);
  }

  const PairsOptions options_;
};

}  // namespace

void add_pairs_command(CLI::App& app, int& exit_status) {
  auto options = std::make_shared<PairsOptions>();
  CLI::App* command = app.add_subcommand(
      "pairs", "N publishers, each with a subscriber of its own: devices publish, connections of a back end subscribe");
  add_run_options(*command, options->run, "Pairs");
  add_pace_options(*command, options->pace);
  CLI::Option* echo =
      command->add_flag("--echo", options->echo, "One connection for each pair, which publishes to itself");
  command->add_flag("--down", options->down, "The back end publishes, devices subscribe")->excludes(echo);
  command->callback([options, &exit_status] { exit_status = Pairs(*options).run(); });
}

}  // namespace mooring::bench
