// pairs: every device publishes to a topic of its own that it has subscribed to, a window of messages at a time.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <vector>

#include "measure.h"
#include "scenarios.h"

namespace mooring::bench {
namespace {

constexpr std::uint32_t kMaxWindow = 64;  // below the 100 unacknowledged messages a session may have

struct PairsOptions {
  FleetOptions fleet;
  std::uint32_t window = 4;
  std::uint32_t payload_bytes = 64;
  std::uint8_t qos = 0;
};

class Pairs final : public Fleet {
 public:
  explicit Pairs(const PairsOptions& options)
      : Fleet(options.fleet, "pairs"),
        pairs_(options),
        meter_(options.fleet.server_pid),
        payload_(options.payload_bytes, std::uint8_t{'.'}) {}

 private:
  struct Traffic {
    std::uint64_t sent = 0;
    Sequence received;
  };

  std::string topic_of(const Device& device) const override {
    return fmt::format("/{}/{}/user/echo", device.key.product_key, device.key.device_name);
  }
  std::uint8_t qos() const override { return pairs_.qos; }
  void before_opening() override { counts_.resize(devices().size()); }

  void begin() override {
    meter_.begin();
    last_delivery_ns_ = now_ns();
    for (const auto& client : clients()) {
      for (std::uint32_t i = 0; i < pairs_.window; ++i) publish_next(*client);
    }
  }

  void publish_next(Client& client) {
    write_stamp(payload_, {counts_[client.number()].sent++, now_ns()});
    ++on_the_way_;
    client.publish(client.topic(), payload_, pairs_.qos);
  }

  void on_client_message(Client& client, const mqtt::Publish& message) override {
    const std::int64_t received_ns = now_ns();
    const Stamp stamp = read_stamp(message.payload);
    if (message.payload.size() != pairs_.payload_bytes || stamp.sequence >= counts_[client.number()].sent) {
      ++damaged_;
      return;
    }
    last_delivery_ns_ = received_ns;
    meter_.add(stamp, received_ns);
    if (!counts_[client.number()].received.take(stamp.sequence)) return;
    --on_the_way_;
    if (!stopping_) {
      publish_next(client);
    } else if (on_the_way_ == 0) {
      end();
    }
  }

  void tick(std::int64_t since_begin_ms) override {
    if (since_begin_ms >= std::int64_t{options().duration_s} * 1000) stopping_ = true;
    const std::int64_t silent_ns = now_ns() - last_delivery_ns_;
    if (silent_ns > std::int64_t{options().grace_s} * 1'000'000'000) end();
  }

  void end() override {
    meter_.end();
    finish();
  }

  std::uint64_t lost_messages() const {
    std::uint64_t lost = 0;
    for (const Traffic& device : counts_) lost += device.received.lost + (device.sent - device.received.next);
    return lost;
  }
  std::uint64_t disordered_messages() const {
    std::uint64_t disordered = 0;
    for (const Traffic& device : counts_) disordered += device.received.disordered;
    return disordered;
  }
  bool succeeded() const override {
    return meter_.deliveries() > 0 && damaged_ == 0 && lost_messages() == 0 && disordered_messages() == 0;
  }

  void report(ResultLine& line) override {
    line.add("window", pairs_.window);
    line.add("payloadBytes", pairs_.payload_bytes);
    line.add("qos", pairs_.qos);
    meter_.report(line);
    line.add("lost", lost_messages());
    line.add("disordered", disordered_messages());
    line.add("damaged", damaged_);
  }

  const PairsOptions pairs_;
  DeliveryMeter meter_;
  base::Bytes payload_;
  std::vector<Traffic> counts_;
  std::uint64_t on_the_way_ = 0;
  std::uint64_t damaged_ = 0;
  std::int64_t last_delivery_ns_ = 0;
  bool stopping_ = false;
};

}  // namespace

void add_pairs_command(CLI::App& app, int& exit_status) {
  auto options = std::make_shared<PairsOptions>();
  CLI::App* command = app.add_subcommand("pairs", "Each device publishes to itself (topic class user/echo:all)");
  add_fleet_options(*command, options->fleet);
  command->add_option("--window", options->window, "Messages of a device on their way at a time")
      ->check(CLI::Range(1U, kMaxWindow))
      ->capture_default_str();
  command->add_option("--payload", options->payload_bytes, "Bytes of a message")
      ->check(CLI::Range(std::uint32_t{kStampBytes}, 262'144U))
      ->capture_default_str();
  command->add_option("--qos", options->qos, "0 or 1 (devices have no QoS 2)")->check(CLI::Range(0, 1));
  command->callback([options, &exit_status] { exit_status = Pairs(*options).run(); });
}

}  // namespace mooring::bench
