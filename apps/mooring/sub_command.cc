#include "sub_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/text.h"
#include "client_options.h"
#include "mqtt_client.h"
#include "stop_signal.h"

namespace mooring::app {
namespace {

using base::Errc;

struct SubOptions {
  ClientOptions client;
  std::vector<std::string> filters;
  std::uint8_t qos = 0;
  std::uint64_t count = 0;  // 0 = for ever
  double wait_s = 0;        // 0 = for ever
  bool verbose = false;
  bool json = false;
};

std::string json_line(const mqtt::Publish& message) {
  boost::json::object line;
  line["topic"] = message.topic;
  line["qos"] = message.qos;
  line["retain"] = message.retain;
  line["dup"] = message.dup;
  const std::string_view payload = base::as_text(message.payload);
  if (base::is_utf8(payload)) {
    line["payload"] = payload;
  } else {
    line["payloadHex"] = base::to_hex(message.payload);
  }
  return boost::json::serialize(line);
}

class Subscriber {
 public:
  explicit Subscriber(const SubOptions& options) : options_(options) {}

  int run() {
    const auto settings = client_settings(options_.client);
    if (!settings) return report_failure(settings.error());
    settings_ = *settings;
    if (options_.wait_s > 0) deadline_ms_ = now_ms() + static_cast<base::MonoMs>(options_.wait_s * 1000);
    for (;;) {
      const auto result = session();
      if (finished()) return summary();
      if (!may_retry(result.error())) return report_failure(result.error());
      note(fmt::format("{}; trying again in {} s", result.error().message, back_off_ms_ / 1000));
      stop_.sleep(static_cast<int>(std::min<base::MonoMs>(back_off_ms_, left_ms())));
      back_off_ms_ = std::min(back_off_ms_ * 2, kBackOffMaxMs);
      if (finished()) return summary();
    }
  }

 private:
  static constexpr int kBackOffMinMs = 1'000;
  static constexpr int kBackOffMaxMs = 30'000;
  static constexpr int kLongWaitMs = 3'600'000;

  static base::MonoMs now_ms() { return base::system_clock().mono_ms(); }
  base::MonoMs left_ms() const {
    return deadline_ms_ == 0 ? kLongWaitMs : std::max<base::MonoMs>(0, deadline_ms_ - now_ms());
  }
  bool complete() const { return options_.count > 0 && received_ >= options_.count; }
  bool finished() const { return complete() || output_gone_ || stop_.raised() || left_ms() == 0; }

  // Only what once worked is worth repeating: a first failure is shown at once.
  bool may_retry(const base::Error& error) const {
    return was_subscribed_ && (error.code == Errc::kUnavailable || error.code == Errc::kIo);
  }

  // One connection, until it ends or the command is finished.
  base::Result<> session() {
    auto client = MqttClient::open(settings_, stop_, [this](const mqtt::Publish& message) { return take(message); });
    if (!client) return tl::unexpected(client.error());
    if (const auto done = (*client)->subscribe(options_.filters, options_.qos); !done) return done;
    note(fmt::format("connected to {}, subscribed", describe_target(options_.client)));
    was_subscribed_ = true;
    back_off_ms_ = kBackOffMinMs;
    while (!finished()) {
      const auto stepped = (*client)->step(static_cast<int>(std::min<base::MonoMs>(left_ms(), kLongWaitMs)));
      if (!stepped) {
        if (stop_.raised()) break;
        return stepped;
      }
    }
    (*client)->disconnect();
    return {};
  }

  bool take(const mqtt::Publish& message) {
    if (complete()) return false;
    ++received_;
    std::string line;
    if (options_.json) {
      line = json_line(message);
    } else {
      if (options_.verbose) line = std::string(message.topic) + ' ';
      line += base::as_text(message.payload);
    }
    line += '\n';
    const bool written = std::fwrite(line.data(), 1, line.size(), stdout) == line.size() && std::fflush(stdout) == 0;
    output_gone_ = output_gone_ || !written;
    return written;
  }

  void note(const std::string& text) const {
    if (!options_.client.quiet) fmt::print(stderr, "mooring sub: {}\n", text);
  }

  int summary() const {
    if (options_.count == 0 || complete() || stop_.raised() || output_gone_) return 0;
    fmt::print(stderr, "mooring: the time is over: {} of {} messages came\n", received_, options_.count);
    return 1;
  }

  const SubOptions& options_;
  StopSignal stop_;
  ClientSettings settings_;
  base::MonoMs deadline_ms_ = 0;
  std::uint64_t received_ = 0;
  int back_off_ms_ = kBackOffMinMs;
  bool was_subscribed_ = false;
  bool output_gone_ = false;
};

}  // namespace

void add_sub_command(CLI::App& app, int& exit_status) {
  auto options = std::make_shared<SubOptions>();
  CLI::App* command = app.add_subcommand("sub", "Print the messages of topics (a small MQTT client)");
  add_client_options(*command, options->client);
  command->add_flag("--keep-session", options->client.keep_session, "Connect with clean session 0");
  command->add_option("-t,--topic", options->filters, "Topic or filter; may be repeated")
      ->required()
      ->allow_extra_args(false);
  command->add_option("-q,--qos", options->qos, "Quality of service, 0, 1 or 2")->check(CLI::Range(0, 2));
  command->add_option("-C,--count", options->count, "End after so many messages");
  command->add_option("-W,--wait", options->wait_s, "End after so many seconds; status 1 if --count was not reached");
  command->add_flag("-v,--verbose", options->verbose, "Print the topic in front of each message");
  command->add_flag("--json", options->json, "Print each message as one line of JSON");
  command->callback([options, &exit_status] { exit_status = Subscriber(*options).run(); });
}

}  // namespace mooring::app
