#include "pub_command.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "client_options.h"
#include "mqtt_client.h"
#include "stop_signal.h"

namespace mooring::app {
namespace {

using base::Errc;
using base::Result;

struct PubOptions {
  ClientOptions client;
  std::string topic;
  std::uint8_t qos = 0;
  std::optional<std::string> message;
  bool lines = false;
  double wait_s = 0;  // 0 = no limit of its own
};

// Lines of stdin, with a look at the clock in between: an idle pipe must not cost us the connection.
class LineReader {
 public:
  static constexpr std::size_t kMaxLineBytes = 1024 * 1024;
  enum class Outcome { kLine, kNothingYet, kEnd };

  Result<Outcome> next(std::string& line, int timeout_ms, const StopSignal& stop) {
    for (;;) {
      if (take(line)) return Outcome::kLine;
      if (ended_) return Outcome::kEnd;
      if (buffer_.size() > kMaxLineBytes) {
        return base::fail(Errc::kInvalidArgument, fmt::format("a line is longer than {} bytes", kMaxLineBytes));
      }
      pollfd waits[2] = {{STDIN_FILENO, POLLIN, 0}, {stop.fd(), POLLIN, 0}};
      if (poll(waits, 2, timeout_ms) <= 0) return Outcome::kNothingYet;
      if (waits[1].revents != 0) return Outcome::kEnd;
      if (const auto filled = fill(); !filled) return tl::unexpected(filled.error());
    }
  }

 private:
  bool take(std::string& line) {
    const std::size_t end = buffer_.find('\n', scanned_);
    if (end == buffer_.npos && (!ended_ || buffer_.empty())) {
      scanned_ = buffer_.size();
      return false;
    }
    line = buffer_.substr(0, end);
    buffer_.erase(0, end == buffer_.npos ? end : end + 1);
    scanned_ = 0;
    return true;
  }

  Result<> fill() {
    char chunk[16 * 1024];
    const ssize_t count = read(STDIN_FILENO, chunk, sizeof chunk);
    if (count < 0 && errno != EINTR && errno != EAGAIN) return base::fail(Errc::kIo, "stdin cannot be read");
    if (count == 0) ended_ = true;
    if (count > 0) buffer_.append(chunk, static_cast<std::size_t>(count));
    return {};
  }

  std::string buffer_;
  std::size_t scanned_ = 0;  // bytes of buffer_ without a line feed
  bool ended_ = false;
};

Result<> publish_lines(MqttClient& client, const PubOptions& options, const StopSignal& stop,
                       base::MonoMs deadline_ms) {
  constexpr int kLookMs = 500;
  LineReader reader;
  std::string line;
  for (;;) {
    const auto outcome = reader.next(line, kLookMs, stop);
    if (!outcome) return tl::unexpected(outcome.error());
    if (*outcome == LineReader::Outcome::kEnd) return {};
    if (deadline_ms != 0 && base::system_clock().mono_ms() > deadline_ms) {
      return base::fail(Errc::kUnavailable, "the time is over");
    }
    const auto done =
        *outcome == LineReader::Outcome::kLine ? client.publish(options.topic, line, options.qos) : client.step(0);
    if (!done) return done;
  }
}

Result<> publish_all(const PubOptions& options, const StopSignal& stop) {
  const auto settings = client_settings(options.client);
  if (!settings) return tl::unexpected(settings.error());
  const base::MonoMs deadline_ms =
      options.wait_s > 0 ? base::system_clock().mono_ms() + static_cast<base::MonoMs>(options.wait_s * 1000) : 0;
  auto client = MqttClient::open(*settings, stop, [](const mqtt::Publish&) { return true; });
  if (!client) return tl::unexpected(client.error());
  const auto sent = options.lines ? publish_lines(**client, options, stop, deadline_ms)
                                  : (*client)->publish(options.topic, *options.message, options.qos);
  if (!sent) return sent;
  const auto acknowledged = (*client)->wait_for_acknowledgements();
  if (acknowledged) (*client)->disconnect();
  return acknowledged;
}

int run_pub(const PubOptions& options) {
  if (options.lines == options.message.has_value()) {
    return report_failure({Errc::kInvalidArgument, "name either a message with -m or the lines of stdin with -l"});
  }
  const StopSignal stop;
  const auto done = publish_all(options, stop);
  if (done || stop.raised()) return 0;
  return report_failure(done.error());
}

}  // namespace

void add_pub_command(CLI::App& app, int& exit_status) {
  auto options = std::make_shared<PubOptions>();
  CLI::App* command = app.add_subcommand("pub", "Publish messages (a small MQTT client)");
  add_client_options(*command, options->client);
  command->add_option("-t,--topic", options->topic, "Topic")->required();
  command->add_option("-q,--qos", options->qos, "Quality of service, 0, 1 or 2; with 1 and 2 the answer is waited for")
      ->check(CLI::Range(0, 2));
  command->add_option("-m,--message", options->message, "The message");
  command->add_flag("-l,--lines", options->lines, "Each line of stdin is a message");
  command->add_option("-W,--wait", options->wait_s, "With -l: give up after so many seconds");
  command->callback([options, &exit_status] { exit_status = run_pub(*options); });
}

}  // namespace mooring::app
