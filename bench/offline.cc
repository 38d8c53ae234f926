// offline: back ends publish with QoS 1 to devices that are away. Every message has to be stored before it is
// acknowledged, so this measures the store: messages, processor time and fsyncs, in whatever durability mode the server
// runs.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <memory>
#include <random>
#include <vector>

#include "base/text.h"
#include "measure.h"
#include "scenarios.h"

namespace mooring::bench {
namespace {

constexpr std::string_view kStoreTopics = "$SYS/broker/store/#";
constexpr std::int64_t kSettleMs = 500;        // until the server has seen all devices leave
constexpr std::int64_t kStoreReportMs = 5000;  // the server tells of its store every two seconds

struct OfflineOptions {
  FleetOptions fleet;
  std::string account;
  std::string password;
  std::uint32_t publishers = 8;
  std::uint32_t window = 64;
  std::uint32_t payload_bytes = 64;
};

class Offline final : public Fleet {
 public:
  explicit Offline(const OfflineOptions& options)
      : Fleet(options.fleet, "offline"), offline_(options), payload_(options.payload_bytes, std::uint8_t{'.'}) {}

 private:
  enum class Phase : std::uint8_t { kLeaving, kPublishing, kDraining, kReporting };

  std::string topic_of(const Device& device) const override {
    return fmt::format("/{}/{}/user/echo", device.key.product_key, device.key.device_name);
  }
  std::uint8_t qos() const override { return 1; }
  bool keeps_session() const override { return true; }

  void before_opening() override {
    for (std::uint32_t i = 0; i < offline_.publishers; ++i) {
      sign_ins_.push_back({fmt::format("bench-{}", i), offline_.account, offline_.password});
    }
    // The first one also listens to what the server tells of its store.
    for (std::uint32_t i = 0; i < offline_.publishers; ++i) {
      add_client(target(), sign_ins_[i], i == 0 ? std::string(kStoreTopics) : std::string(), 0);
    }
  }

  void begin() override {
    for (std::size_t i = 0; i < devices().size(); ++i) clients()[i]->close();
  }

  void publish_next(Client& client) {
    const std::size_t device = random_() % devices().size();
    ++sent_;
    client.publish(clients()[device]->topic(), payload_, 1);
  }

  void on_client_acknowledged(Client& client) override {
    ++acknowledged_;
    if (phase_ == Phase::kPublishing) publish_next(client);
  }

  void on_client_message(Client&, const mqtt::Publish& message) override {
    const std::string_view text = base::as_text(message.payload);
    std::uint64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    if (message.topic == "$SYS/broker/store/syncs") syncs_ = number;
    if (message.topic == "$SYS/broker/store/commits") commits_ = number;
  }

  void tick(std::int64_t since_begin_ms) override {
    switch (phase_) {
      case Phase::kLeaving:
        if (since_begin_ms >= kSettleMs) start();
        return;
      case Phase::kPublishing:
        if (now_ns() - started_ns_ >= std::int64_t{options().duration_s} * 1'000'000'000) stop(since_begin_ms);
        return;
      case Phase::kDraining:
        if (acknowledged_ == sent_ || since_begin_ms - stopped_ms_ > std::int64_t{options().grace_s} * 1000) {
          phase_ = Phase::kReporting;
          stopped_ms_ = since_begin_ms;
        }
        return;
      case Phase::kReporting:
        if (since_begin_ms - stopped_ms_ >= kStoreReportMs) finish();
        return;
    }
  }

  void start() {
    phase_ = Phase::kPublishing;
    started_ns_ = now_ns();
    cpu_s_ = -process_cpu_seconds(options().server_pid);
    syncs_before_ = syncs_;
    commits_before_ = commits_;
    for (std::size_t i = devices().size(); i < clients().size(); ++i) {
      for (std::uint32_t n = 0; n < offline_.window; ++n) publish_next(*clients()[i]);
    }
  }

  void stop(std::int64_t since_begin_ms) {
    phase_ = Phase::kDraining;
    stopped_ms_ = since_begin_ms;
    measured_ = acknowledged_;
    seconds_ = static_cast<double>(now_ns() - started_ns_) / 1e9;
    cpu_s_ += process_cpu_seconds(options().server_pid);
  }

  bool succeeded() const override { return measured_ > 0 && acknowledged_ == sent_; }

  void report(ResultLine& line) override {
    line.add("publishers", offline_.publishers);
    line.add("window", offline_.window);
    line.add("payloadBytes", offline_.payload_bytes);
    line.add("qos", 1);
    line.add("messages", measured_);
    line.add("unacknowledged", sent_ - acknowledged_);
    line.add("messagesPerSecond", seconds_ > 0 ? static_cast<double>(measured_) / seconds_ : 0.0);
    line.add("messagesPerServerCpuSecond", cpu_s_ > 0 ? static_cast<double>(measured_) / cpu_s_ : 0.0);
    line.add("commits", commits_ - commits_before_);
    line.add("fsyncs", syncs_ - syncs_before_);
  }

  const OfflineOptions offline_;
  base::Bytes payload_;
  std::vector<SignIn> sign_ins_;
  std::minstd_rand random_{1};
  Phase phase_ = Phase::kLeaving;
  std::uint64_t sent_ = 0;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t measured_ = 0;
  std::uint64_t syncs_ = 0;
  std::uint64_t syncs_before_ = 0;
  std::uint64_t commits_ = 0;
  std::uint64_t commits_before_ = 0;
  std::int64_t started_ns_ = 0;
  std::int64_t stopped_ms_ = 0;
  double seconds_ = 0;
  double cpu_s_ = 0;
};

}  // namespace

void add_offline_command(CLI::App& app, int& exit_status) {
  auto options = std::make_shared<OfflineOptions>();
  CLI::App* command = app.add_subcommand(
      "offline",
      "Accounts publish with QoS 1 to devices that are away (topic class user/echo:all): measures the store");
  add_fleet_options(*command, options->fleet);
  command->add_option("--account", options->account, "Account that may publish to the devices' topics")->required();
  command->add_option("--password", options->password, "Its password")->required();
  command->add_option("--publishers", options->publishers, "Connections of the account")
      ->check(CLI::Range(1U, 1'000U))
      ->capture_default_str();
  command->add_option("--window", options->window, "Unacknowledged messages of a publisher at a time")
      ->check(CLI::Range(1U, 100U))
      ->capture_default_str();
  command->add_option("--payload", options->payload_bytes, "Bytes of a message")
      ->check(CLI::Range(1U, 262'144U))
      ->capture_default_str();
  command->callback([options, &exit_status] { exit_status = Offline(*options).run(); });
}

}  // namespace mooring::bench
