// fanout: back ends publish to a topic that the whole fleet has subscribed to.
#include <CLI/CLI.hpp>
#include <memory>

#include "scenarios.h"
#include "traffic.h"

namespace mooring::bench {
namespace {

struct FanOutOptions {
  RunOptions run;
  Pace pace{.window = 2};
  std::uint32_t publishers = 1;
};

class FanOut final : public Traffic {
 public:
  explicit FanOut(const FanOutOptions& options) : Traffic(options.run, "fanout"), options_(options) {}

 private:
  base::Result<> plan() override {
    const std::string& topic = identities().broadcast();
    for (const Identity& device : identities().fleet()) add_connection(device.sign_in, {topic, options_.pace.qos});
    const auto subscribers = static_cast<std::uint32_t>(connections().size());
    const std::size_t group = add_group("fanout", options_.pace);
    for (std::uint32_t i = 0; i < options_.publishers; ++i) {
      const auto added = add_flow(group, add_back_end({}), topic, 0, subscribers);
      if (!added) return added;
    }
    return {};
  }

  void report(ResultLine& line) override {
    line.add("publishers", options_.publishers);
    line.add("subscribers", identities().fleet().size());
    Traffic::report(line);
  }

  const FanOutOptions options_;
};

}  // namespace

void add_fan_out_command(CLI::App& app, int& exit_status) {
  auto options = std::make_shared<FanOutOptions>();
  CLI::App* command = app.add_subcommand("fanout", "One publisher (a back end), N subscribers");
  add_run_options(*command, options->run, "Subscribers");
  add_pace_options(*command, options->pace);
  command->add_option("--publishers", options->publishers, "Back ends that publish, to the same topic")
      ->check(CLI::Range(1, 1'000))
      ->capture_default_str();
  command->callback([options, &exit_status] { exit_status = FanOut(*options).run(); });
}

}  // namespace mooring::bench
