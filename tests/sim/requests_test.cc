// Requests of devices to built-in services: taken out of the way of messages, for nobody else (docs/adr/0018).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/world.h"

namespace mooring::sim {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Requests, ReachTheServiceAndNobodyElse) {
  in_many_worlds([](World& world) {
    TestClient& device = world.connected("dev1");
    TestClient& watcher = world.connected_account("watcher");
    world.subscribed(watcher, {{"#", 1}});
    TestClient& admin = world.connected_operator(world.pick(world.loop_count()), {{"#", 1}});
    for (int i = 0; i < 3; ++i) world.publish(device, device_topic("dev1", "ask"), std::to_string(i), 0);
    world.publish(device, device_topic("dev1", "update"), "ordinary", 0);
    world.settle();
    EXPECT_THAT(world.requests.requests, ElementsAre("dev1 7 0", "dev1 7 1", "dev1 7 2"));
    EXPECT_THAT(watcher.payloads("/pk/"), ElementsAre("ordinary"));
    EXPECT_THAT(admin.payloads("/pk/"), ElementsAre("ordinary"));
  });
}

TEST(Requests, OfQos1AreAcknowledgedInTheOrderOfTheirPackets) {
  in_many_worlds([](World& world) {
    TestClient& device = world.connected("dev1");
    AccountOptions lasting;
    lasting.clean_session = false;
    lasting.session_expiry_s = 600;
    TestClient& watcher = world.connected_account("watcher", lasting);
    world.subscribed(watcher, {{device_topic("dev1", "update"), 1}});
    world.store.hold();
    const auto first = world.publish(device, device_topic("dev1", "update"), "waits for the store", 1);
    const auto second = world.publish(device, device_topic("dev1", "ask"), "x", 1);
    world.settle();
    EXPECT_THAT(world.requests.requests, ElementsAre("dev1 7 x")) << "it is worked on at once";
    world.store.go_on();
    world.settle();
    EXPECT_THAT(device.pubacks, ElementsAre(first, second));
  });
}

TEST(Requests, AreForDevicesOfThePlatformOnly) {
  in_many_worlds([](World& world) {
    TestClient& watcher = world.connected_account("watcher");
    world.subscribed(watcher, {{"#", 1}});
    TestClient& account = world.connected_account("back end");
    TestClient& standard = world.connected("dev1", {.rules = &world.standard_device_rules});
    world.publish(account, device_topic("dev1", "ask"), "of an account", 0);
    world.settle();
    world.publish(standard, device_topic("dev1", "ask"), "of plain MQTT", 0);
    world.settle();
    EXPECT_THAT(world.requests.requests, IsEmpty());
    EXPECT_THAT(watcher.payloads("/pk/"), ElementsAre("of an account", "of plain MQTT"));
  });
}

TEST(Requests, TopicsOfOtherDevicesAreRefusedAndTold) {
  in_many_worlds([](World& world) {
    TestClient& device = world.connected("dev1");
    world.publish(device, device_topic("dev2", "ask"), "x", 0);
    world.publish(device, "/broadcast/pk/x", "nobody's", 0);
    world.settle();
    EXPECT_THAT(world.requests.requests, IsEmpty());
    EXPECT_THAT(world.requests.foreign, ElementsAre("dev1 dev2"));
  });
}

TEST(Requests, AreNotForWhoHasNoConnection) {
  in_many_worlds([](World& world) {
    TestClient& watcher = world.connected_account("watcher");
    world.subscribed(watcher, {{"#", 1}});
    std::optional<bool> asked, said;
    const std::string ask = device_topic("dev1", "ask"), say = device_topic("dev1", "update");
    const base::DeviceKey device = device_key("dev1");
    broker::Broker& home = world.home_broker("dev1");
    home.publish_detached({device, ask, base::as_bytes("a proof"), false}, [&](bool safe) { asked = safe; });
    home.publish_detached({device, say, base::as_bytes("ordinary"), false}, [&](bool safe) { said = safe; });
    EXPECT_FALSE(asked) << "not at once";
    world.settle();
    EXPECT_EQ(asked, false);
    EXPECT_EQ(said, true);
    EXPECT_THAT(world.requests.requests, IsEmpty());
    EXPECT_THAT(watcher.payloads("/pk/"), ElementsAre("ordinary"));
  });
}

TEST(Requests, AreUnderTheRatesOfPublishing) {
  in_many_worlds([](World& world) {
    world.rules.max_qos0_publishes_per_s = 10;
    TestClient& device = world.connected("dev1");
    for (int i = 0; i < 20; ++i) world.publish(device, device_topic("dev1", "ask"), "x", 0);
    world.settle();
    EXPECT_EQ(world.requests.requests.size(), 10U);
  });
}

TEST(Requests, APushReachesItsConnectionAndNobodyElse) {
  in_many_worlds([](World& world) {
    TestClient& device = world.connected("dev1");
    TestClient& watcher = world.connected_account("watcher");
    world.subscribed(watcher, {{"#", 1}});
    broker::Broker& home = world.home_broker("dev1");
    EXPECT_EQ(home.client_of(device_key("dev1")), device.client);
    EXPECT_TRUE(home.push(*device.client, device_topic("dev1", "answer"), "never subscribed"));
    world.settle();
    EXPECT_THAT(device.payloads(), ElementsAre("never subscribed"));
    EXPECT_THAT(watcher.payloads("/pk/"), IsEmpty());
    device.full = true;
    EXPECT_FALSE(world.home_broker("dev1").push(*device.client, device_topic("dev1", "answer"), "it does not read"));
    world.disconnect(device);
    world.settle();
    EXPECT_EQ(world.home_broker("dev1").client_of(device_key("dev1")), nullptr);
    EXPECT_FALSE(world.home_broker("dev1").push(*device.client, device_topic("dev1", "answer"), "it is away"));
  });
}

}  // namespace
}  // namespace mooring::sim
