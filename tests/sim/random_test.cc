// Devices come, go, are displaced and talk to each other through operators; a small model knows
// what each of them must get. What a device is sent is checked as it happens, what it must have got at the end.
//
// The model asks for messages that were sent while the session was at rest. Those that meet a session on its way from
// one connection to the next are not asked for, but if they arrive they obey the same rules.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "sim/world.h"

namespace mooring::sim {
namespace {

constexpr std::uint16_t kWindow = 4;

// One connection of a device, as the device sees it. Messages are named by numbers that grow in the order sent.
struct Connection {
  TestClient* client = nullptr;
  std::size_t reported = 0;
  std::map<std::uint16_t, std::size_t> unacknowledged;  // packet identifier, message
  std::map<std::size_t, std::size_t> last;              // newest message of each operator
};

// What the model knows of one device over all its connections.
struct ModelDevice {
  std::string name;
  bool keeps = false;  // always connects with clean session 0
  bool has_subscribed = false;
  TestClient* now = nullptr;                             // of the newest connection
  std::shared_ptr<Connection> connection;                // the newest
  std::vector<std::shared_ptr<Connection>> connections;  // all that may still be open
  std::set<std::size_t> got;
  std::set<std::size_t> acknowledged;
  std::size_t published = 0;
  // Messages that must arrive: sent while the session was at rest, and still so when the message got there.
  bool at_rest = false;
  std::set<std::size_t> fresh;
  std::set<std::size_t> due;
};

class RandomRun {
 public:
  RandomRun(std::uint64_t seed, std::size_t device_count) : world_(seed, 2 + seed % 3), devices_(device_count) {
    world_.rules.session.max_in_flight = kWindow;
    world_.rules.session.max_queued_messages = 100'000;
    for (std::size_t i = 0; i < devices_.size(); ++i) {
      devices_[i].name = "dev" + std::to_string(i);
      devices_[i].keeps = i % 3 != 2;
    }
  }

  void play(int actions) {
    for (std::size_t i = 0; i < 2; ++i) add_operator();
    onlooker_ = &world_.connected_operator(world_.pick(world_.loop_count()), {{"/as/mqtt/status/#", 1}});
    onlooker_->on_delivery = [this](const Delivery& delivery) { on_status(delivery); };
    for (int i = 0; i < actions && !testing::Test::HasFailure(); ++i) {
      act(devices_[world_.pick(devices_.size())]);
      world_.run(world_.pick(6));
      if (world_.chance(12)) rest();
    }
    finish();
  }

 private:
  void add_operator() {
    const std::size_t index = operators_.size();
    TestClient& who = world_.connected_operator(world_.pick(world_.loop_count()), {{"/pk/+/user/update", 1}});
    operators_.push_back(&who);
    heard_.emplace_back();
    who.on_delivery = [this, index](const Delivery& delivery) { on_report(index, delivery); };
  }

  // What one device does next.
  void act(ModelDevice& device) {
    const bool online = device.now != nullptr && device.now->online();
    const std::size_t dice = world_.pick(100);
    if (dice < 8 || (!online && dice < 35)) {
      connect(device);
    } else if (dice >= 90) {
      command(device);
    } else if (!online) {
      if (device.now != nullptr && device.now->waiting() && dice < 40) world_.disconnect(*device.now);
    } else if (dice < 14) {
      world_.disconnect(*device.now);
    } else if (dice < 24) {
      subscribe(device);
    } else if (dice < 50) {
      report(device);
    } else if (dice < 54) {
      device.now->full = true;
    } else if (dice < 60) {
      world_.resume(*device.now);
    } else {
      acknowledge_one(device);
    }
  }

  void connect(ModelDevice& device) {
    if (device.now != nullptr && device.now->online() && world_.chance(50)) world_.disconnect(*device.now);
    if (device.now != nullptr && device.now->waiting() && world_.chance(50)) world_.disconnect(*device.now);
    device.at_rest = false;
    device.fresh.clear();
    DeviceOptions options;
    options.clean_session = !device.keeps && world_.chance(60);
    options.wants_notify = world_.chance(50);
    TestClient& who = world_.connect(device.name, options);
    device.now = &who;
    device.connection = std::make_shared<Connection>();
    device.connection->client = &who;
    device.connections.push_back(device.connection);
    who.on_delivery = [this, &device, connection = device.connection](const Delivery& delivery) {
      on_message(device, *connection, delivery);
    };
  }

  // Who leaves before it was let in displaces nobody: the one before it is still there.
  static void find_present(ModelDevice& device) {
    std::erase_if(device.connections, [](const auto& known) { return !known->client->online(); });
    if (device.connections.empty()) return;
    device.connection = device.connections.back();
    device.now = device.connection->client;
  }

  void subscribe(ModelDevice& device) {
    TestClient& who = *device.now;
    const auto any = static_cast<std::uint8_t>(world_.pick(2));
    const std::size_t dice = world_.pick(5);
    if (dice == 0) {
      world_.unsubscribe(who, device_topic(device.name, "#"));
    } else if (dice == 1) {
      world_.subscribe(who, {{device_topic(device.name, "#"), any}});
    } else {
      world_.subscribe(who, {{device_topic(device.name, "get"), any}, {"/broadcast/pk/#", any}});
    }
  }

  // Device to device: the operator relays what a device reports.
  void report(ModelDevice& device) {
    const std::string to = devices_[world_.pick(devices_.size())].name;
    world_.publish(*device.now, device_topic(device.name, "update"), to + " " + std::to_string(++device.published), 1);
    ++device.connection->reported;
  }

  void on_report(std::size_t index, const Delivery& delivery) {
    const std::string from = delivery.topic.substr(4, delivery.topic.find('/', 4) - 4);
    const std::size_t blank = delivery.payload.find(' ');
    const std::size_t number = std::stoul(delivery.payload.substr(blank + 1));
    std::size_t& last = heard_[index][from];
    EXPECT_EQ(number, last + 1) << "each report of " << from << " once and in order";
    last = number;
    to_acknowledge_.emplace_back(operators_[index], delivery.packet_id);
    if (index == 0) to_relay_.push_back(delivery.payload.substr(0, blank));
  }

  // Sinks do not call back: what the operators have to do they do here.
  void serve_operators() {
    for (const auto& [who, packet_id] : std::exchange(to_acknowledge_, {})) world_.acknowledge(*who, packet_id);
    for (const std::string& to : std::exchange(to_relay_, {})) {
      const auto device = std::find_if(devices_.begin(), devices_.end(), [&](const auto& d) { return d.name == to; });
      send(0, *device);
    }
  }

  void command(ModelDevice& device) {
    serve_operators();
    if (world_.chance(75)) {
      send(1, device);
      return;
    }
    const std::size_t number = next_message(1);
    for (ModelDevice& each : devices_) expect(each, number);
    world_.publish(*operators_[1], "/broadcast/pk/all", std::to_string(number), 1);
  }

  void send(std::size_t from, ModelDevice& device) {
    const std::size_t number = next_message(from);
    expect(device, number);
    world_.publish(*operators_[from], device_topic(device.name, "get"), std::to_string(number), 1);
  }

  std::size_t next_message(std::size_t from) {
    sent_by_.push_back(from);
    return sent_by_.size() - 1;
  }

  void expect(ModelDevice& device, std::size_t number) {
    if (device.at_rest && device.keeps) device.fresh.insert(number);
  }

  void on_message(ModelDevice& device, Connection& connection, const Delivery& delivery) {
    if (delivery.topic == "/ext/notify") return;
    EXPECT_EQ(delivery.qos, 1);
    const std::size_t number = std::stoul(delivery.payload);
    const std::size_t from = sent_by_.at(number);
    EXPECT_EQ(delivery.dup, device.got.contains(number)) << device.name << ": message " << number;
    EXPECT_FALSE(device.acknowledged.contains(number)) << device.name << ": " << number << " was acknowledged before";
    if (const auto last = connection.last.find(from); last != connection.last.end()) {
      EXPECT_LT(last->second, number) << device.name << ": out of order, or twice";
    }
    EXPECT_TRUE(connection.unacknowledged.emplace(delivery.packet_id, number).second) << "identifier in use";
    EXPECT_LE(connection.unacknowledged.size(), kWindow);
    connection.last[from] = number;
    device.got.insert(number);
  }

  void acknowledge_one(ModelDevice& device) {
    auto& unacknowledged = device.connection->unacknowledged;
    if (unacknowledged.empty()) return;
    const auto chosen =
        std::next(unacknowledged.begin(), static_cast<std::ptrdiff_t>(world_.pick(unacknowledged.size())));
    const std::uint16_t packet_id = chosen->first;
    device.acknowledged.insert(chosen->second);
    unacknowledged.erase(chosen);
    world_.acknowledge(*device.now, packet_id);
  }

  void on_status(const Delivery& delivery) {
    const std::string name = delivery.topic.substr(delivery.topic.rfind('/') + 1);
    const bool online = delivery.payload.find(R"("status":"online")") != std::string::npos;
    EXPECT_NE(status_[name], online) << name << ": coming and going must take turns for an onlooker";
    status_[name] = online;
    to_acknowledge_.emplace_back(onlooker_, delivery.packet_id);
  }

  // Everything comes to rest; what was under way has arrived.
  void rest() {
    do {
      world_.settle();
      serve_operators();
    } while (world_.step());
    for (ModelDevice& device : devices_) {
      device.due.merge(std::exchange(device.fresh, {}));
      find_present(device);
      const bool online = device.now != nullptr && device.now->online();
      EXPECT_EQ(world_.connections_of(device.name), online ? 1U : 0U);
      EXPECT_EQ(world_.presence.is_online[device.name], online);
      EXPECT_EQ(status_[device.name], online);
      EXPECT_EQ(brokers_with(device.name), online ? 1U : 0U);
      if (online) note_subscriptions(device);
      EXPECT_TRUE(!online || device.now->pubacks.size() == device.connection->reported);
      device.at_rest = device.has_subscribed;
    }
    world_.settle();
  }

  // "get" and the broadcast are never unsubscribed: from the first SUBACK with two codes on the device has them.
  static void note_subscriptions(ModelDevice& device) {
    for (const auto& [id, codes] : device.now->subacks) {
      if (codes.size() == 2) device.has_subscribed = true;
    }
  }

  std::size_t brokers_with(const std::string& name) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < world_.loop_count(); ++i) count += world_.broker(i).is_online(device_key(name)) ? 1 : 0;
    return count;
  }

  // Everybody comes back and reads; then nothing may be missing.
  void finish() {
    rest();
    for (ModelDevice& device : devices_) connect(device);
    rest();
    for (ModelDevice& device : devices_) {
      world_.resume(*device.now);
      while (!device.connection->unacknowledged.empty()) acknowledge_one(device);
      rest();
      std::vector<std::size_t> lost;
      std::set_difference(device.due.begin(), device.due.end(), device.got.begin(), device.got.end(),
                          std::back_inserter(lost));
      EXPECT_TRUE(lost.empty()) << device.name << " never got " << lost.size() << " messages, the first is " << lost[0];
      EXPECT_TRUE(device.connection->unacknowledged.empty());
      due_in_all += device.due.size();
    }
    for (const auto& device : devices_) {
      for (auto& heard : heard_) EXPECT_EQ(heard[device.name], device.published) << "reports of " << device.name;
    }
  }

  World world_;
  std::vector<ModelDevice> devices_;
  std::vector<TestClient*> operators_;
  TestClient* onlooker_ = nullptr;
  std::vector<std::size_t> sent_by_;                       // operator, by message
  std::vector<std::map<std::string, std::size_t>> heard_;  // by operator: last report of each device
  std::vector<std::pair<TestClient*, std::uint16_t>> to_acknowledge_;
  std::vector<std::string> to_relay_;
  std::map<std::string, bool> status_;

 public:
  std::size_t due_in_all = 0;
};

TEST(Random, DevicesTalkWhileTheyComeAndGo) {
  std::size_t due_in_all = 0;
  for_each_seed(300, [&](std::uint64_t seed) {
    RandomRun run(seed, 3 + seed % 4);
    run.play(400);
    due_in_all += run.due_in_all;
  });
  EXPECT_GT(due_in_all, 100U) << "the model must have something to expect";
}

}  // namespace
}  // namespace mooring::sim
