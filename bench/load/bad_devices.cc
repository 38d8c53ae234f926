#include "bad_devices.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

namespace mooring::bench {
namespace {

constexpr double kTriesApartS = 2;

std::int64_t ns(double seconds) {
  return std::llround(seconds * 1e9);
}
bool in_bursts(const BadDevicesOptions& options, std::uint32_t number) {
  const std::uint32_t place_in_process = (number - options.crowd.measured) / options.crowd.processes;
  return options.tries > 0 && place_in_process % 2 == 0;
}
// They do not all begin at once: that would be another scenario.
double first_try_s(const BadDevicesOptions& options, std::uint32_t number) {
  return options.every_s * (number - options.crowd.measured) / options.crowd.size();
}
double until_next_s(const BadDevicesOptions& options, std::uint32_t number, std::uint32_t tried) {
  if (!in_bursts(options, number)) return options.every_s;
  return tried % options.tries == 0 ? options.pause_s : kTriesApartS;
}

class BadDevices final : public CrowdMember {
 public:
  BadDevices(const BadDevicesOptions& options, CrowdBoard& board, std::uint32_t place)
      : CrowdMember(options.crowd, board, place, "bad"), options_(options) {}

 private:
  struct Due {
    std::int64_t at_ns;
    std::uint32_t connection;
    bool operator>(const Due& other) const { return at_ns > other.at_ns; }
  };
  struct Device {
    std::uint32_t number = 0;  // in the fleet
    std::uint32_t tried = 0;
    std::int64_t started_ns = 0;
  };

  void add_device(const Identity& device, std::uint32_t number) override {
    wrong_.push_back(device.sign_in);
    wrong_.back().password.assign(device.sign_in.password.size(), '0');
    add_connection(wrong_.back(), {}, true);
    devices_.push_back({number});
  }

  void begin_round(std::int64_t begin_ns) override {
    for (std::uint32_t i = 0; i < devices_.size(); ++i) {
      due_.push({begin_ns + ns(first_try_s(options_, devices_[i].number)), i});
    }
  }

  bool may_try() const { return under_way_ < options_.crowd.at_once && !due_.empty(); }
  void work() override {
    while (may_try() && due_.top().at_ns <= now()) {
      const std::uint32_t number = due_.top().connection;
      due_.pop();
      ++under_way_;
      devices_[number].started_ns = now();
      ++devices_[number].tried;
      ++counts().attempts;
      connections()[number]->open();
    }
  }
  std::int64_t next_work_ns() const override { return may_try() ? due_.top().at_ns : kNever; }
  void end_round() override {}

  // Run hears nothing of these: to be refused is not to be lost.
  void on_open(Connection& connection) override {
    --under_way_;
    ++counts().accepted;
    connection.close();
  }
  void on_lost(Connection& connection, std::string_view) override {
    --under_way_;
    count_lost(connection);
    const Device& device = devices_[connection.number()];
    count_wait(now() - device.started_ns);
    const std::int64_t next = device.started_ns + ns(until_next_s(options_, device.number, device.tried));
    due_.push({std::max(now(), next), connection.number()});
  }

  const BadDevicesOptions& options_;
  std::deque<SignIn> wrong_;
  std::vector<Device> devices_;  // by connection
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  std::uint32_t under_way_ = 0;
};

}  // namespace

base::Result<std::unique_ptr<Crowd>> start_bad_devices(const BadDevicesOptions& options) {
  return Crowd::start(options.crowd, [&options](const CrowdOptions& own, CrowdBoard& board, std::uint32_t place) {
    BadDevicesOptions of_this = options;
    of_this.crowd = own;
    return BadDevices(of_this, board, place).run();
  });
}

std::uint64_t intended_tries(const BadDevicesOptions& options, double seconds) {
  std::uint64_t sum = 0;
  for (std::uint32_t number = options.crowd.measured; number < options.crowd.run.connections; ++number) {
    double at_s = first_try_s(options, number);
    for (std::uint32_t tried = 1; at_s < seconds; ++tried) {
      ++sum;
      at_s += until_next_s(options, number, tried);
    }
  }
  return sum;
}

}  // namespace mooring::bench
