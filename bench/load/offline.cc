// offline: back ends publish with QoS 1 to devices that are away. Every message has to be stored before it is
// acknowledged, so this measures the store: messages, processor time and fsyncs, in whatever durability mode the server
// runs.
#include <CLI/CLI.hpp>
#include <charconv>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "process_stats.h"
#include "publication.h"
#include "run.h"
#include "scenarios.h"

namespace mooring::bench {
namespace {

constexpr std::string_view kStoreTopics = "$SYS/broker/store/#";
constexpr std::int64_t kSettleNs = 500'000'000;         // until the server has seen all devices leave
constexpr std::int64_t kStoreReportNs = 5'000'000'000;  // the server tells of its store every two seconds

struct OfflineOptions {
  RunOptions run;
  std::uint32_t publishers = 8;
  std::uint32_t window = 64;
  std::uint32_t payload_bytes = 64;
};

class Offline final : public Run {
 public:
  explicit Offline(const OfflineOptions& options) : Run(options.run, "offline"), offline_(options) {}

 private:
  enum class Phase : std::uint8_t { kLeaving, kPublishing, kDraining, kReporting };

  struct Publisher {
    std::vector<Publication> to_device;  // framed for this connection
    std::vector<bool> outstanding;       // by packet identifier
    std::uint16_t last_packet_id = 0;
  };

  std::size_t devices() const { return identities().fleet().size(); }

  base::Result<> plan() override {
    for (const Identity& device : identities().fleet()) {
      sign_ins_.push_back(device.sign_in);
      sign_ins_.back().clean_session = false;
      add_connection(sign_ins_.back(), {device.down, 1});
    }
    // The first one also listens to what the server tells of its store.
    publishers_.resize(offline_.publishers);
    for (std::uint32_t i = 0; i < offline_.publishers; ++i) {
      Connection& connection = add_back_end({i == 0 ? std::string(kStoreTopics) : std::string(), 0});
      publishers_[i].outstanding.resize(65'536);
      for (const Identity& device : identities().fleet()) {
        auto made = Publication::make(device.down, offline_.payload_bytes, 1, connection.framing());
        if (!made) return tl::unexpected(made.error());
        publishers_[i].to_device.push_back(std::move(*made));
      }
    }
    return {};
  }

  void begin() override {
    for (std::size_t i = 0; i < devices(); ++i) close(*connections()[i]);
  }

  void publish_next(Connection& connection) {
    Publisher& publisher = publishers_[connection.number() - devices()];
    const std::size_t device = random_() % devices();
    do {
      if (++publisher.last_packet_id == 0) publisher.last_packet_id = 1;
    } while (publisher.outstanding[publisher.last_packet_id]);
    publisher.outstanding[publisher.last_packet_id] = true;
    connection.publish(publisher.to_device[device], publisher.last_packet_id,
                       {static_cast<std::uint32_t>(device), static_cast<std::uint32_t>(sent_), now()});
    ++sent_;
  }

  void on_acknowledged(Connection& connection, std::uint16_t packet_id) override {
    Publisher& publisher = publishers_[connection.number() - devices()];
    if (!publisher.outstanding[packet_id]) return fail("an acknowledgement of nothing");
    publisher.outstanding[packet_id] = false;
    ++acknowledged_;
    if (phase_ == Phase::kPublishing) publish_next(connection);
  }

  void on_message(Connection&, const Delivery& message) override {
    const std::string_view text = base::as_text(message.payload);
    std::uint64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    if (message.topic == "$SYS/broker/store/syncs") syncs_ = number;
    if (message.topic == "$SYS/broker/store/commits") commits_ = number;
  }

  void turn() override {
    const std::int64_t since_ns = now() - since_ns_;
    switch (phase_) {
      case Phase::kLeaving:
        if (now() - begun_at() >= kSettleNs) start();
        return;
      case Phase::kPublishing:
        if (static_cast<double>(since_ns) >= options().duration_s * 1e9) stop();
        return;
      case Phase::kDraining:
        if (acknowledged_ == sent_ || since_ns > std::int64_t{options().grace_s} * kSecond) enter(Phase::kReporting);
        return;
      case Phase::kReporting:
        if (since_ns >= kStoreReportNs) finish();
        return;
    }
  }

  void enter(Phase phase) {
    phase_ = phase;
    since_ns_ = now();
  }

  void start() {
    enter(Phase::kPublishing);
    cpu_s_ = -process_cpu_s(options().server_pid);
    syncs_before_ = syncs_;
    commits_before_ = commits_;
    for (std::size_t i = devices(); i < connections().size(); ++i) {
      for (std::uint32_t n = 0; n < offline_.window; ++n) publish_next(*connections()[i]);
    }
  }

  void stop() override {
    if (phase_ != Phase::kPublishing) return finish();
    measured_ = acknowledged_;
    seconds_ = static_cast<double>(now() - since_ns_) / 1e9;
    cpu_s_ += process_cpu_s(options().server_pid);
    enter(Phase::kDraining);
  }

  bool succeeded() const override { return measured_ > 0 && acknowledged_ == sent_; }

  void report(ResultLine& line) override {
    line.add("publishers", offline_.publishers);
    line.add("window", offline_.window);
    line.add("devices", devices());
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
  std::deque<SignIn> sign_ins_;
  std::vector<Publisher> publishers_;
  std::minstd_rand random_{1};
  Phase phase_ = Phase::kLeaving;
  std::uint64_t sent_ = 0;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t measured_ = 0;
  std::uint64_t syncs_ = 0;
  std::uint64_t syncs_before_ = 0;
  std::uint64_t commits_ = 0;
  std::uint64_t commits_before_ = 0;
  std::int64_t since_ns_ = 0;  // when this phase began
  double seconds_ = 0;
  double cpu_s_ = 0;
};

}  // namespace

void add_offline_command(CLI::App& app, int& exit_status) {
  auto options = std::make_shared<OfflineOptions>();
  CLI::App* command = app.add_subcommand(
      "offline",
      "Back ends publish with QoS 1 to N subscribers that are away, so that everything is stored: measures the store");
  add_run_options(*command, options->run, "Devices, or sessions of the account, that are away");
  command->add_option("--publishers", options->publishers, "Connections of the account")
      ->check(CLI::Range(1U, 1'000U))
      ->capture_default_str();
  command->add_option("--window", options->window, "Unacknowledged messages of a publisher at a time")
      ->check(CLI::Range(1U, 100U))
      ->capture_default_str();
  command->add_option("--payload", options->payload_bytes, "Bytes of a message")
      ->check(CLI::Range(std::uint32_t{kStampBytes}, 262'144U))
      ->capture_default_str();
  command->callback([options, &exit_status] { exit_status = Offline(*options).run(); });
}

}  // namespace mooring::bench
