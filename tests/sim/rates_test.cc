// What the device log hears of rates (connection.md 7 and 9.2): everything, and not once for each message.
#include <gtest/gtest.h>

#include "sim/world.h"

namespace mooring::sim {
namespace {

TEST(Rates, AreToldOnceASecondAndInFull) {
  in_many_worlds([](World& world) {
    world.rules.max_qos0_publishes_per_s = 10;
    TestClient& device = world.connected("dev1");
    const auto publish = [&](int count) {
      for (int i = 0; i < count; ++i) world.publish(device, device_topic("dev1", "update"), "x", 0);
      world.settle();
    };
    publish(110);  // the first ten pass
    EXPECT_EQ(world.presence.incidents["dev1 publish-rate"], 1U);
    EXPECT_EQ(world.presence.reports, 1U);
    world.pass(2);
    publish(60);
    EXPECT_EQ(world.presence.incidents["dev1 publish-rate"], 101U);
    EXPECT_EQ(world.presence.reports, 2U);
    world.disconnect(device);
    world.settle();
    EXPECT_EQ(world.presence.incidents["dev1 publish-rate"], 150U) << "the rest comes with the end";
    EXPECT_EQ(world.presence.reports, 3U);
    EXPECT_EQ(world.home_broker("dev1").counters().throttled_publishes, 150U);
  });
}

TEST(Rates, OfDeliveriesAreToldOfADeviceThatIsAway) {
  in_many_worlds([](World& world) {
    world.rules.max_deliveries_per_s = 5;
    TestClient& device = world.connected("dev1");
    world.subscribed(device, {{device_topic("dev1", "get"), 1}});
    world.disconnect(device);
    TestClient& sender = world.connected_account("sender");
    for (int i = 0; i < 50; ++i) world.publish(sender, device_topic("dev1", "get"), "x", 1);
    world.settle();
    EXPECT_EQ(world.presence.reports, 1U);
    world.pass(2);
    for (int i = 0; i < 6; ++i) world.publish(sender, device_topic("dev1", "get"), "x", 1);
    world.settle();
    EXPECT_EQ(world.presence.reports, 2U);
    EXPECT_EQ(world.presence.incidents["dev1 delivery-rate"], 46U);
  });
}

}  // namespace
}  // namespace mooring::sim
