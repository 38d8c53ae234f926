// mixed: a fleet as it lives. Devices report at a rate with QoS 0 and some of it with QoS 1, back ends hear everything
// and send commands to single devices with QoS 1.
#include <CLI/CLI.hpp>
#include <memory>

#include "scenarios.h"
#include "traffic.h"

namespace mooring::bench {
namespace {

struct MixedOptions {
  RunOptions run;
  std::uint32_t payload_bytes = 200;
  double reports_per_second = 1'000;
  double alarms_per_second = 100;
  double commands_per_second = 100;
};

class Mixed final : public Traffic {
 public:
  explicit Mixed(const MixedOptions& options) : Traffic(options.run, "mixed"), options_(options) {}

 private:
  Pace pace(std::uint8_t qos, double per_second) const {
    return {.qos = qos, .payload_bytes = options_.payload_bytes, .window = 32, .per_second = per_second};
  }

  base::Result<> plan() override {
    add_back_end({identities().all_up(), 1});
    Connection& commander = add_back_end({});
    for (const Identity& device : identities().fleet()) add_connection(device.sign_in, {device.down, 1});
    auto added = add_up(add_group("reports", pace(0, options_.reports_per_second)));
    if (added) added = add_up(add_group("alarms", pace(1, options_.alarms_per_second)));
    if (added) added = add_commands(add_group("commands", pace(1, options_.commands_per_second)), commander);
    return added;
  }

  base::Result<> add_up(std::size_t group) {
    for (std::size_t i = 0; i < identities().fleet().size(); ++i) {
      Connection& device = *connections()[kBackEnds + i];
      const auto added = add_flow(group, device, identities().fleet()[i].up, 0, 1);
      if (!added) return added;
    }
    return {};
  }

  base::Result<> add_commands(std::size_t group, Connection& commander) {
    for (std::size_t i = 0; i < identities().fleet().size(); ++i) {
      const std::uint32_t receiver = connections()[kBackEnds + i]->number();
      const auto added = add_flow(group, commander, identities().fleet()[i].down, receiver, 1);
      if (!added) return added;
    }
    return {};
  }

  static constexpr std::size_t kBackEnds = 2;
  const MixedOptions options_;
};

}  // namespace

void add_mixed_command(CLI::App& app, int& exit_status) {
  auto options = std::make_shared<MixedOptions>();
  CLI::App* command = app.add_subcommand("mixed", "A fleet as it lives: reports, alarms and commands at fixed rates");
  add_run_options(*command, options->run, "Devices");
  command->add_option("--payload", options->payload_bytes, "Bytes of a message")
      ->check(CLI::Range(std::uint32_t{kStampBytes}, 262'144U))
      ->capture_default_str();
  command->add_option("--reports", options->reports_per_second, "A second, from all devices to the back end, QoS 0")
      ->check(CLI::Range(0.001, 1e7))
      ->capture_default_str();
  command->add_option("--alarms", options->alarms_per_second, "A second, from all devices to the back end, QoS 1")
      ->check(CLI::Range(0.001, 1e7))
      ->capture_default_str();
  command->add_option("--commands", options->commands_per_second, "A second, from a back end to devices in turn, QoS 1")
      ->check(CLI::Range(0.001, 1e7))
      ->capture_default_str();
  command->callback([options, &exit_status] { exit_status = Mixed(*options).run(); });
}

}  // namespace mooring::bench
