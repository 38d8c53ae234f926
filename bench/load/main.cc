// The program `mooring-bench`: a scenario, then its options. One JSON line per run on stdout. Exit status: 0 done, 1 it
// failed or a message was lost, damaged, disordered or duplicated, 2 wrong usage.
#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>

#include "scenarios.h"

namespace mooring::bench {
namespace {

constexpr int kWrongUsage = 2;

// clang-format off
constexpr const char* kExamples = R"examples(
Examples:
  A plain broker, 100 pairs, as fast as 16 messages in flight allow:
    mooring-bench pairs --url tcp://127.0.0.1:1883 -n 100 --qos 1
  Devices of a registry over WebSocket with TLS, a back end that hears them, processor time of the server:
    mooring device export > devices.csv
    mooring-bench fanin --url wss://127.0.0.1:8443 --devices devices.csv -n 500 \
      --account backend --password ... --pid "$(pidof mooring)"
  Delays at a fixed rate, each counted from when its message was due:
    mooring-bench pairs --url ws://127.0.0.1:8080 --devices devices.csv -n 50 --echo --rate 5000 --seconds 30
  50,000 connections, from two addresses because one has 28,000 ports:
    mooring-bench idle --url ws://127.0.0.1:8080 --devices devices.csv -n 50000 --source 127.0.0.1 127.0.0.2

Each run checks that every message arrives once, in order and undamaged, and prints one line of JSON. Exit status:
0 all is well; 1 the run failed, or a message was lost, damaged, disordered or duplicated; 2 wrong usage.
bench/README.md explains scenarios and figures.)examples";
// clang-format on

int run(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  CLI::App app("Load generator for MQTT brokers, Mooring before all", "mooring-bench");
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::simple);
  app.footer(kExamples);
  int exit_status = 0;
  add_pairs_command(app, exit_status);
  add_fan_out_command(app, exit_status);
  add_fan_in_command(app, exit_status);
  add_ingest_command(app, exit_status);
  add_mixed_command(app, exit_status);
  add_connect_command(app, exit_status);
  add_storm_command(app, exit_status);
  add_refusals_command(app, exit_status);
  add_churn_command(app, exit_status);
  add_idle_command(app, exit_status);
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
