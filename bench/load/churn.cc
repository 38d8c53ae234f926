// churn: connections come, say something, hear it, and go; half of them without DISCONNECT. What a short life costs.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "histogram.h"
#include "process_stats.h"
#include "publication.h"
#include "run.h"
#include "scenarios.h"

namespace mooring::bench {
namespace {

struct ChurnOptions {
  RunOptions run;
  double lives_per_second = 0;
  std::uint32_t messages_per_life = 3;
  std::uint32_t payload_bytes = 64;
  std::uint8_t qos = 1;
};

class Churn final : public Run {
 public:
  explicit Churn(const ChurnOptions& options) : Run(options.run, "churn"), options_(options) {}

 private:
  struct Life {
    std::uint32_t first = 0;  // sequence number of its first message; they never begin again
    std::uint32_t sent = 0;
    std::uint32_t received = 0;
    std::uint32_t acknowledged = 0;
    std::int64_t due_ns = 0;
    std::vector<Publication> publication;  // one, made when the connection is planned
  };

  base::Result<> plan() override {
    for (const Identity& device : identities().fleet()) {
      Connection& connection = add_connection(device.sign_in, {device.echo, options_.qos}, true);
      auto made = Publication::make(device.echo, options_.payload_bytes, options_.qos, connection.framing());
      if (!made) return tl::unexpected(made.error());
      lives_.emplace_back().publication.push_back(std::move(*made));
      gone_.push_back(connection.number());
    }
    return {};
  }

  void begin() override {}

  void turn() override {
    wake_ns_ = now() + kSecond / 20;
    const auto since = [this](std::int64_t from) { return static_cast<double>(now() - from) / 1e9; };
    if (!measuring_ && !stopping_ && since(begun_at()) >= options().warm_up_s) begin_measuring();
    if (measuring_ && since(measured_from_ns_) >= options().duration_s) stop();
    for (std::size_t i = gone_.size(); i > 0 && may_be_born(); --i) {
      const std::uint32_t number = gone_.front();
      gone_.pop_front();
      lives_[number].due_ns = options_.lives_per_second > 0 ? due_ns() : now();
      ++born_;
      open_later(*connections()[number]);
    }
    if (stopping_ && gone_.size() == connections().size()) finish();
    if (stopping_ && since(stopped_at_ns_) > options().grace_s) fail("lives do not come to an end");
  }
  std::int64_t wake_ns() const override { return wake_ns_; }

  bool may_be_born() {
    if (stopping_) return false;
    if (options_.lives_per_second == 0) return true;
    wake_ns_ = std::min(wake_ns_, due_ns());
    return due_ns() <= now();
  }
  std::int64_t due_ns() const {
    return begun_at() + std::llround(static_cast<double>(born_) * 1e9 / options_.lives_per_second);
  }

  void on_open(Connection& connection) override {
    Run::on_open(connection);
    Life& life = lives_[connection.number()];
    life.first += life.sent;
    life.sent = life.received = life.acknowledged = 0;
    for (std::uint32_t i = 0; i < options_.messages_per_life; ++i) {
      const Stamp stamp{connection.number(), life.first + life.sent++, now()};
      connection.publish(life.publication[0], static_cast<std::uint16_t>(1 + i), stamp);
    }
  }

  void on_message(Connection& connection, const Delivery& message) override {
    Life& life = lives_[connection.number()];
    Stamp stamp{};
    if (message.payload.size() == options_.payload_bytes) stamp = read_stamp(message.payload);
    if (message.payload.size() != options_.payload_bytes || stamp.flow != connection.number() ||
        stamp.sequence != life.first + life.received || life.received >= life.sent) {
      ++wrong_;
      return;
    }
    ++life.received;
    ++deliveries_;
    end_life(connection, life);
  }
  void on_acknowledged(Connection& connection, std::uint16_t packet_id) override {
    Life& life = lives_[connection.number()];
    if (packet_id != life.acknowledged + 1 || packet_id > life.sent) {
      ++wrong_;
      return;
    }
    ++life.acknowledged;
    end_life(connection, life);
  }

  void end_life(Connection& connection, const Life& life) {
    if (life.received < life.sent || (options_.qos > 0 && life.acknowledged < life.sent)) return;
    if (measuring_) {
      ++lived_;
      spans_.add(now() - life.due_ns);
    }
    if (++ended_ % 2 == 0) connection.reset();
    close(connection);
    gone_.push_back(connection.number());
  }
  void lost_after_begin(Connection&) override { fail("a connection was refused or lost"); }

  void begin_measuring() {
    measuring_ = true;
    measured_from_ns_ = now();
    server_cpu_s_ = -process_cpu_s(options().server_pid);
    load_cpu_s_ = -own_cpu_s();
  }
  void stop() override {
    if (std::exchange(stopping_, true)) return;
    measuring_ = false;
    stopped_at_ns_ = now();
    measured_ns_ = now() - measured_from_ns_;
    server_cpu_s_ += process_cpu_s(options().server_pid);
    load_cpu_s_ += own_cpu_s();
  }

  bool succeeded() const override { return lived_ > 0 && wrong_ == 0; }
  std::string progress() const override { return fmt::format("{} lives", ended_); }

  void report(ResultLine& line) override {
    const double seconds = static_cast<double>(measured_ns_) / 1e9;
    const auto lives = static_cast<double>(lived_);
    line.add("qos", options_.qos);
    line.add("messagesPerLife", options_.messages_per_life);
    if (options_.lives_per_second > 0) line.add("ratePerSecond", options_.lives_per_second);
    line.add("seconds", seconds);
    line.add("lives", lived_);
    line.add("livesPerSecond", std::llround(seconds > 0 ? lives / seconds : 0));
    line.add("deliveries", deliveries_);
    line.add("loadCpuSeconds", load_cpu_s_);
    if (options().server_pid > 0) {
      line.add("serverCpuSeconds", server_cpu_s_);
      line.add("serverCpuMicrosecondsPerLife", lived_ > 0 ? server_cpu_s_ * 1e6 / lives : 0);
      line.add("serverResidentBytes", process_memory(options().server_pid).resident_bytes);
    }
    line.add("lifeP50Us", spans_.quantile_us(0.5));
    line.add("lifeP99Us", spans_.quantile_us(0.99));
    line.add("lifeMaxUs", spans_.max_us());
    line.add("wrong", wrong_);
  }

  const ChurnOptions options_;
  std::vector<Life> lives_;         // by connection
  std::deque<std::uint32_t> gone_;  // connections that wait for their next life
  Histogram spans_;
  std::uint64_t born_ = 0;
  std::uint64_t ended_ = 0;
  std::uint64_t lived_ = 0;  // while measured
  std::uint64_t deliveries_ = 0;
  std::uint64_t wrong_ = 0;  // lost, again, out of order, or not what was sent
  std::int64_t wake_ns_ = 0;
  std::int64_t measured_from_ns_ = 0;
  std::int64_t measured_ns_ = 0;
  std::int64_t stopped_at_ns_ = 0;
  double server_cpu_s_ = 0;
  double load_cpu_s_ = 0;
  bool measuring_ = false;
  bool stopping_ = false;
};

}  // namespace

void add_churn_command(CLI::App& app, int& exit_status) {
  auto options = std::make_shared<ChurnOptions>();
  CLI::App* command = app.add_subcommand(
      "churn", "Connections that sign in, subscribe, publish to themselves, hear it and go; half without DISCONNECT");
  add_run_options(*command, options->run, "Connections at a time");
  command->add_option("--rate", options->lives_per_second, "Lives begun a second; 0: as fast as they go")
      ->check(CLI::Range(0.0, 1e6));
  command->add_option("--messages-per-life", options->messages_per_life, "Messages a connection sends to itself")
      ->check(CLI::Range(1, 50))
      ->capture_default_str();
  command->add_option("--payload", options->payload_bytes, "Bytes of a message")
      ->check(CLI::Range(std::uint32_t{kStampBytes}, 262'144U))
      ->capture_default_str();
  command->add_option("--qos", options->qos, "0, 1 or 2 (devices have no QoS 2)")
      ->check(CLI::Range(0, 2))
      ->capture_default_str();
  command->callback([options, &exit_status] { exit_status = Churn(*options).run(); });
}

}  // namespace mooring::bench
