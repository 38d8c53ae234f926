// connect: connections are opened, signed in and closed again, so many at a time or at a fixed rate: what a sign-in
// costs.
#include <CLI/CLI.hpp>
#include <memory>

#include "lives.h"
#include "scenarios.h"

namespace mooring::bench {
namespace {

struct ConnectOptions {
  RunOptions run;
  LivesOptions lives;
};

class Connect final : public Lives {
 public:
  explicit Connect(const ConnectOptions& options)
      : Lives(options.run, options.lives, {"connect", "connects", "connect", "Connect"}) {}

 private:
  base::Result<> plan() override {
    for (const Identity& device : identities().fleet()) add_life(device.sign_in, {});
    return {};
  }

  void born(Connection& connection) override {
    if (measuring() && connection.tls_resumed()) ++resumed_;
    end_life(connection);  // its answer is what counts
    close(connection);
  }

  void report(ResultLine& line) override {
    line.add("atOnce", options().opening_at_once);
    Lives::report(line);
    line.add("resumed", resumed_);
  }

  std::uint64_t resumed_ = 0;
};

int run_connect(ConnectOptions options) {
  options.lives.at_once = options.run.opening_at_once;
  return Connect(options).run();
}

}  // namespace

void add_connect_command(CLI::App& app, int& exit_status) {
  auto options = std::make_shared<ConnectOptions>();
  options->run.opening_at_once = 16;
  CLI::App* command = app.add_subcommand("connect", "Open, sign in, close, again and again: the price of a CONNECT");
  add_run_options(*command, options->run, "Identities that take turns");
  add_lives_options(*command, options->lives);
  command->callback([options, &exit_status] { exit_status = run_connect(*options); });
}

}  // namespace mooring::bench
