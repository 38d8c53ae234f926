// fanout: the operator publishes to a broadcast topic of the product that every device has subscribed to.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <vector>

#include "measure.h"
#include "scenarios.h"

namespace mooring::bench {
namespace {

constexpr std::uint32_t kMaxWindow = 1'024;

struct FanoutOptions {
  FleetOptions fleet;
  std::string data_folder;
  std::uint32_t window = 2;
  std::uint32_t payload_bytes = 64;
  std::uint8_t qos = 0;
};

class Fanout final : public Fleet {
 public:
  explicit Fanout(const FanoutOptions& options)
      : Fleet(options.fleet, "fanout"),
        fanout_(options),
        meter_(options.fleet.server_pid),
        payload_(options.payload_bytes, std::uint8_t{'.'}),
        missing_(options.window) {}

 private:
  std::string topic_of(const Device& device) const override {
    return fmt::format("/broadcast/{}/bench", device.key.product_key);
  }
  std::uint8_t qos() const override { return fanout_.qos; }

  void before_opening() override {
    topic_ = topic_of(devices().front());
    received_.resize(devices().size());
    auto target = operator_target(fanout_.data_folder);
    if (!target) {
      note(target.error().message);
      return finish();
    }
    operator_target_ = std::move(*target);
    publisher_ = &add_client(operator_target_, operator_sign_in_, {}, 0);
  }

  void begin() override {
    meter_.begin();
    last_delivery_ns_ = now_ns();
    for (std::uint32_t i = 0; i < fanout_.window; ++i) publish_next();
  }

  void on_client_lost(Client& client, std::string_view why) override {
    Fleet::on_client_lost(client, why);
    if (&client == publisher_ && sent_ > 0) end();
  }

  void publish_next() {
    missing_[sent_ % fanout_.window] = static_cast<std::uint32_t>(devices().size());
    write_stamp(payload_, {sent_++, now_ns()});
    publisher_->publish(topic_, payload_, fanout_.qos);
  }

  // A message leaves the window when every subscriber has it.
  void on_client_message(Client& client, const mqtt::Publish& message) override {
    const std::int64_t received_ns = now_ns();
    const Stamp stamp = read_stamp(message.payload);
    if (message.payload.size() != fanout_.payload_bytes || stamp.sequence >= sent_) {
      ++damaged_;
      return;
    }
    last_delivery_ns_ = received_ns;
    meter_.add(stamp, received_ns);
    if (client.number() < received_.size() && !received_[client.number()].take(stamp.sequence)) return;
    if (--missing_[stamp.sequence % fanout_.window] > 0) return;
    ++complete_;
    if (!stopping_) {
      publish_next();
    } else if (complete_ == sent_) {
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
    for (const Sequence& sequence : received_) lost += sequence.lost + (sent_ - sequence.next);
    return lost;
  }
  std::uint64_t disordered_messages() const {
    std::uint64_t disordered = 0;
    for (const Sequence& sequence : received_) disordered += sequence.disordered;
    return disordered;
  }
  bool succeeded() const override {
    return meter_.deliveries() > 0 && damaged_ == 0 && lost_messages() == 0 && disordered_messages() == 0;
  }

  void report(ResultLine& line) override {
    line.add("window", fanout_.window);
    line.add("payloadBytes", fanout_.payload_bytes);
    line.add("qos", fanout_.qos);
    line.add("published", sent_);
    meter_.report(line);
    line.add("lost", lost_messages());
    line.add("disordered", disordered_messages());
    line.add("damaged", damaged_);
  }

  const FanoutOptions fanout_;
  DeliveryMeter meter_;
  std::string topic_;
  base::Bytes payload_;
  std::vector<std::uint32_t> missing_;  // deliveries that each message of the window still lacks
  std::vector<Sequence> received_;      // by subscriber
  Target operator_target_;
  SignIn operator_sign_in_{.client_id = "bench", .username = {}, .password = {}};
  Client* publisher_ = nullptr;
  std::uint64_t sent_ = 0;
  std::uint64_t complete_ = 0;
  std::uint64_t damaged_ = 0;
  std::int64_t last_delivery_ns_ = 0;
  bool stopping_ = false;
};

}  // namespace

void add_fanout_command(CLI::App& app, int& exit_status) {
  auto options = std::make_shared<FanoutOptions>();
  CLI::App* command = app.add_subcommand("fanout", "One publisher, many subscribers; deliveries per second");
  add_fleet_options(*command, options->fleet);
  command->add_option("--data", options->data_folder, "Data folder of the server: the publisher is its operator")
      ->required();
  command->add_option("--window", options->window, "Messages on their way at a time")
      ->check(CLI::Range(1U, kMaxWindow))
      ->capture_default_str();
  command->add_option("--payload", options->payload_bytes, "Bytes of a message")
      ->check(CLI::Range(std::uint32_t{kStampBytes}, 262'144U))
      ->capture_default_str();
  command->add_option("--qos", options->qos, "0 or 1, of publisher and subscribers")->check(CLI::Range(0, 1));
  command->callback([options, &exit_status] { exit_status = Fanout(*options).run(); });
}

}  // namespace mooring::bench
