// churn: connections come, say something, hear it, and go; half of them without DISCONNECT. What a short life costs.
#include <CLI/CLI.hpp>
#include <memory>
#include <utility>
#include <vector>

#include "lives.h"
#include "publication.h"
#include "scenarios.h"

namespace mooring::bench {
namespace {

struct ChurnOptions {
  RunOptions run;
  LivesOptions lives;
  std::uint32_t messages_per_life = 3;
  std::uint32_t payload_bytes = 64;
  std::uint8_t qos = 1;
};

class Churn final : public Lives {
 public:
  explicit Churn(const ChurnOptions& options)
      : Lives(options.run, options.lives, {"churn", "lives", "life", "Life"}), options_(options) {}

 private:
  struct Life {
    std::uint32_t first = 0;  // sequence number of its first message; they never begin again
    std::uint32_t sent = 0;
    std::uint32_t received = 0;
    std::uint32_t acknowledged = 0;
    Publication publication;
  };

  base::Result<> plan() override {
    for (const Identity& device : identities().fleet()) {
      const Connection& connection = add_life(device.sign_in, {device.echo, options_.qos});
      auto made = Publication::make(device.echo, options_.payload_bytes, options_.qos, connection.framing());
      if (!made) return tl::unexpected(made.error());
      lives_.emplace_back().publication = std::move(*made);
    }
    return {};
  }

  void born(Connection& connection) override {
    Life& life = lives_[connection.number()];
    life.first += life.sent;
    life.sent = life.received = life.acknowledged = 0;
    for (std::uint32_t i = 0; i < options_.messages_per_life; ++i) {
      const Stamp stamp{connection.number(), life.first + life.sent++, now()};
      connection.publish(life.publication, static_cast<std::uint16_t>(1 + i), stamp);
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
    end_when_done(connection, life);
  }
  void on_acknowledged(Connection& connection, std::uint16_t packet_id) override {
    Life& life = lives_[connection.number()];
    if (packet_id != life.acknowledged + 1 || packet_id > life.sent) {
      ++wrong_;
      return;
    }
    ++life.acknowledged;
    end_when_done(connection, life);
  }

  void end_when_done(Connection& connection, const Life& life) {
    if (life.received < life.sent || (options_.qos > 0 && life.acknowledged < life.sent)) return;
    if (++ended_ % 2 == 0) connection.reset();
    close(connection);
    end_life(connection);
  }

  bool succeeded() const override { return Lives::succeeded() && wrong_ == 0; }

  void report(ResultLine& line) override {
    line.add("qos", options_.qos);
    line.add("messagesPerLife", options_.messages_per_life);
    Lives::report(line);
    line.add("deliveries", deliveries_);
    line.add("wrong", wrong_);
  }

  const ChurnOptions options_;
  std::vector<Life> lives_;  // by connection
  std::uint64_t ended_ = 0;
  std::uint64_t deliveries_ = 0;
  std::uint64_t wrong_ = 0;  // lost, again, out of order, or not what was sent
};

}  // namespace

void add_churn_command(CLI::App& app, int& exit_status) {
  auto options = std::make_shared<ChurnOptions>();
  CLI::App* command = app.add_subcommand(
      "churn", "Connections that sign in, subscribe, publish to themselves, hear it and go; half without DISCONNECT");
  add_run_options(*command, options->run, "Connections at a time");
  add_lives_options(*command, options->lives);
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
