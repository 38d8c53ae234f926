#include "run_options.h"

#include <CLI/CLI.hpp>

#include "traffic.h"

namespace mooring::bench {

void add_run_options(CLI::App& command, RunOptions& options, const char* connections_text) {
  command.add_option("--url", options.url, "(ws|wss|tcp|tls)://HOST:PORT; mqtt and mqtts are tcp and tls")->required();
  command.add_option("-n,--connections", options.connections, connections_text)
      ->check(CLI::Range(1U, kMaxConnections))
      ->capture_default_str();
  command.add_option("--devices", options.device_file,
                     "CSV file with ProductKey, DeviceName, DeviceSecret: the fleet signs in as these devices");
  command.add_option("--account", options.account, "Account of back ends, and of the fleet without --devices");
  command.add_option("--password", options.password, "Its password; better in the environment, which ps does not show")
      ->envname("MOORING_BENCH_PASSWORD");
  command.add_option("--data", options.operator_folder,
                     "Data folder of the server: back ends are its operator, over the Unix socket there");
  command.add_option("--seconds", options.duration_s, "How long to measure")
      ->check(CLI::Range(0.1, 86'400.0))
      ->capture_default_str();
  command.add_option("--warm-up", options.warm_up_s, "Seconds of load before that")
      ->check(CLI::Range(0.0, 600.0))
      ->capture_default_str();
  command.add_option("--grace", options.grace_s, "Seconds without progress after which what is missing is lost")
      ->check(CLI::Range(1, 600))
      ->capture_default_str();
  command.add_option("--pid", options.server_pid, "The server's process, for its memory and processor time");
  command.add_option("--source", options.sources,
                     "Addresses to come from, in turn: each has its own 28,000 ports, for example 127.0.0.1 127.0.0.2");
  command.add_option("--opening", options.opening_at_once, "Connections being opened at a time")
      ->check(CLI::Range(1U, kMaxConnections))
      ->capture_default_str();
  command.add_option("--open-timeout", options.open_timeout_s, "Seconds until every connection has to be open")
      ->check(CLI::Range(1, 3'600))
      ->capture_default_str();
  command.add_option("--ca", options.ca_file, "PEM file with the root certificate; without it nothing is checked");
  command.add_flag("--resume", options.resumes_tls, "Resume TLS sessions where a connection is opened again");
  command.add_option("--prefix", options.prefix, "Begins client identifiers and topics of accounts")
      ->capture_default_str();
  command.add_option("--up-topic", options.up_topic, "Topic class that devices publish to")->capture_default_str();
  command.add_option("--down-topic", options.down_topic, "Topic class that devices subscribe to")
      ->capture_default_str();
  command.add_option("--echo-topic", options.echo_topic, "Topic class that devices do both with")
      ->capture_default_str();
  command.add_flag("--quiet", options.quiet, "No progress on the terminal");
}

void add_pace_options(CLI::App& command, Pace& pace) {
  command.add_option("--qos", pace.qos, "0, 1 or 2, of publishers and subscribers (devices have no QoS 2)")
      ->check(CLI::Range(0, 2))
      ->capture_default_str();
  command.add_option("--payload", pace.payload_bytes, "Bytes of a message")
      ->check(CLI::Range(std::uint32_t{kStampBytes}, 262'144U))
      ->capture_default_str();
  command
      .add_option("--window", pace.window,
                  "Messages of a publisher on their way at a time; with --rate: unacknowledged ones at most")
      ->check(CLI::Range(1U, kMaxWindow))
      ->capture_default_str();
  command.add_option("--rate", pace.per_second, "Messages published a second, all together; 0: as the window allows")
      ->check(CLI::Range(0.0, 1e8))
      ->capture_default_str();
  command.add_option("--messages", pace.messages, "End after so many messages published; 0: after --seconds");
}

}  // namespace mooring::bench
