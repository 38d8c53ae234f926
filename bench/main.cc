// The program `mooring-bench`: a scenario, then its options. One JSON line per run on stdout. Exit status: 0 done, 1 it
// failed or lost something, 2 wrong usage.
#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>

#include "scenarios.h"

namespace mooring::bench {

void add_fleet_options(CLI::App& command, FleetOptions& options) {
  command.add_option("--url", options.url, "(ws|wss|mqtt|mqtts)://ADDRESS:PORT")->required();
  command.add_option("--devices", options.device_file, "CSV file with ProductKey, DeviceName, DeviceSecret")
      ->required();
  command.add_option("-n,--connections", options.connections, "Devices to sign in")
      ->check(CLI::Range(1U, kMaxConnections))
      ->capture_default_str();
  command.add_option("--seconds", options.duration_s, "How long to run once every connection is open")
      ->check(CLI::Range(1, 600))
      ->capture_default_str();
  command.add_option("--server-pid", options.server_pid, "The server's process, for its memory and processor time");
  command.add_option("--ca", options.ca_file, "PEM file with the root certificate; without it nothing is checked");
  command.add_option("--opening", options.opening_at_once, "Connections being opened at a time")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  command.add_option("--open-timeout", options.open_timeout_s, "Seconds until every connection has to be open")
      ->check(CLI::Range(1, 600))
      ->capture_default_str();
  command.add_flag("--quiet", options.quiet, "No progress on the terminal");
}

namespace {

constexpr int kWrongUsage = 2;

int run(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  CLI::App app("Load generator for Mooring", "mooring-bench");
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::simple);
  int exit_status = 0;
  add_idle_command(app, exit_status);
  add_fanout_command(app, exit_status);
  add_pairs_command(app, exit_status);
  add_offline_command(app, exit_status);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kWrongUsage;
  }
  return exit_status;
}

}  // namespace
}  // namespace mooring::bench

int main(int argc, char** argv) {
  try {
    return mooring::bench::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "mooring-bench: {}\n", error.what());
    return 1;
  }
}
