#include "cluster/local_bus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "cluster/tests/fake_loops.h"

namespace mooring::cluster {
namespace {

using routing::LoopId;
using testing::ElementsAre;

// Writes down what arrives, as text.
class Recorder final : public routing::BusListener {
 public:
  void on_remote_message(const mqtt::MessageRef& message) override {
    arrived.push_back(std::string(message->topic()));
    copies.push_back(message);
  }
  void on_remote_interest(LoopId loop, std::string_view filter, bool added) override {
    arrived.push_back(std::to_string(loop) + (added ? "+" : "-") + std::string(filter));
  }
  void on_remote_device(LoopId loop, const base::DeviceKey& device, bool added) override {
    arrived.push_back(std::to_string(loop) + (added ? "+" : "-") + device.product_key + "&" + device.device_name);
  }
  std::vector<std::string> arrived;
  std::vector<mqtt::MessageRef> copies;
};

mqtt::MessageRef message(const std::string& topic) {
  return mqtt::Message::create(topic, {}, 0, false);
}

class LocalBusTest : public testing::Test {
 protected:
  static constexpr std::size_t kLoops = 3;
  LocalBusTest() {
    for (std::size_t i = 0; i < kLoops; ++i) cluster_.attach(static_cast<LoopId>(i), loops_[i], listeners_[i]);
  }
  void run_all() {
    std::mt19937 random(1);
    while (loops_.run_one(random, [](std::size_t) {})) {
    }
  }
  FakeLoops loops_{kLoops};
  std::array<Recorder, kLoops> listeners_;
  LocalCluster cluster_{kLoops};
};

TEST_F(LocalBusTest, NothingLeavesBeforeTheFlush) {
  const std::array<LoopId, 1> target{1};
  cluster_.bus(0).publish(message("a"), target);
  run_all();
  EXPECT_TRUE(listeners_[1].arrived.empty());
  cluster_.bus(0).flush();
  EXPECT_TRUE(listeners_[1].arrived.empty()) << "never inline";
  run_all();
  EXPECT_THAT(listeners_[1].arrived, ElementsAre("a"));
  EXPECT_TRUE(listeners_[2].arrived.empty());
}

TEST_F(LocalBusTest, OneWakeUpForEachDestination) {
  const std::array<LoopId, 2> both{1, 2};
  const std::array<LoopId, 1> one{2};
  const auto shared = message("a");
  for (int i = 0; i < 100; ++i) cluster_.bus(0).publish(shared, both);
  cluster_.bus(0).publish(message("b"), one);
  cluster_.bus(0).add_interest("x/#");
  cluster_.bus(0).flush();
  cluster_.bus(0).flush();
  EXPECT_EQ(loops_[0].posts(), 0U);
  EXPECT_EQ(loops_[1].posts(), 1U);
  EXPECT_EQ(loops_[2].posts(), 1U);
  run_all();
  EXPECT_EQ(listeners_[1].arrived.size(), 101U);
  EXPECT_EQ(listeners_[2].arrived.size(), 102U);
  EXPECT_EQ(&*listeners_[1].copies.front(), &*shared) << "messages are shared, not copied";
}

TEST_F(LocalBusTest, InterestsAndDevicesReachAllOthersInOrderWithMessages) {
  const std::array<LoopId, 1> target{0};
  routing::Bus& bus = cluster_.bus(1);
  bus.add_interest("a/+");
  bus.publish(message("m1"), target);
  bus.add_device({"pk", "dn"});
  bus.publish(message("m2"), target);
  bus.drop_interest("a/+");
  bus.drop_device({"pk", "dn"});
  bus.flush();
  run_all();
  EXPECT_THAT(listeners_[0].arrived, ElementsAre("1+a/+", "m1", "1+pk&dn", "m2", "1-a/+", "1-pk&dn"));
  EXPECT_TRUE(listeners_[1].arrived.empty());
  EXPECT_THAT(listeners_[2].arrived, ElementsAre("1+a/+", "1+pk&dn", "1-a/+", "1-pk&dn"));
}

TEST_F(LocalBusTest, AFullBatchLeavesAtOnce) {
  const std::array<LoopId, 1> target{1};
  for (std::size_t i = 0; i < LocalCluster::kMaxBatchItems; ++i) cluster_.bus(0).publish(message("a"), target);
  EXPECT_EQ(loops_[1].posts(), 1U);
  cluster_.bus(0).publish(message("b"), target);
  cluster_.bus(0).flush();
  run_all();
  EXPECT_EQ(listeners_[1].arrived.size(), LocalCluster::kMaxBatchItems + 1);
  EXPECT_EQ(listeners_[1].arrived.back(), "b");
}

TEST_F(LocalBusTest, ADetachedListenerIsLeftAlone) {
  const std::array<LoopId, 1> target{1};
  cluster_.bus(0).publish(message("a"), target);
  cluster_.bus(0).flush();
  cluster_.detach(1);
  run_all();
  EXPECT_TRUE(listeners_[1].arrived.empty());
}

TEST_F(LocalBusTest, OneLoopAloneTalksToNobody) {
  FakeLoops loops(1);
  Recorder listener;
  LocalCluster cluster(1);
  cluster.attach(0, loops[0], listener);
  cluster.bus(0).add_interest("a");
  cluster.bus(0).publish(message("a"), {});
  cluster.bus(0).flush();
  EXPECT_EQ(loops[0].posts(), 0U);
}

// From one loop to another nothing is lost, doubled or overtaken, whatever the turns of the loops.
TEST(LocalBus, OrderIsKeptInEveryInterleaving) {
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    const std::size_t count = 2 + seed % 4;
    FakeLoops loops(count);
    LocalCluster cluster(count);
    std::vector<Recorder> listeners(count);
    for (std::size_t i = 0; i < count; ++i) cluster.attach(static_cast<LoopId>(i), loops[i], listeners[i]);

    std::map<std::pair<std::size_t, std::size_t>, std::vector<std::string>> sent;  // by sender and destination
    for (int step = 0; step < 600; ++step) {
      const std::size_t from = random() % count;
      routing::Bus& bus = cluster.bus(static_cast<LoopId>(from));
      const std::string name = std::to_string(from) + "+" + std::to_string(step);
      switch (random() % 6) {
        case 0:
          bus.add_interest(std::to_string(step));
          for (std::size_t to = 0; to < count; ++to) {
            if (to != from) sent[{from, to}].push_back(name);
          }
          break;
        case 1:
        case 2: {
          const auto to = static_cast<LoopId>((from + 1 + random() % (count - 1)) % count);
          bus.publish(message(name), std::array{to});
          sent[{from, to}].push_back(name);
          break;
        }
        case 3:
          bus.flush();
          break;
        default:
          loops.run_one(random, [](std::size_t) {});
      }
    }
    for (std::size_t i = 0; i < count; ++i) cluster.bus(static_cast<LoopId>(i)).flush();
    while (loops.run_one(random, [](std::size_t) {})) {
    }
    for (std::size_t to = 0; to < count; ++to) {
      std::size_t expected_total = 0;
      for (std::size_t from = 0; from < count; ++from) {
        std::vector<std::string> got;
        std::copy_if(listeners[to].arrived.begin(), listeners[to].arrived.end(), std::back_inserter(got),
                     [&](const std::string& name) { return name.starts_with(std::to_string(from) + "+"); });
        const auto& expected = sent[{from, to}];
        ASSERT_EQ(got, expected) << "seed " << seed << " from " << from << " to " << to;
        expected_total += expected.size();
      }
      ASSERT_EQ(listeners[to].arrived.size(), expected_total);
    }
  }
}

}  // namespace
}  // namespace mooring::cluster
