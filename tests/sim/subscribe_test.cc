// SUBSCRIBE and UNSUBSCRIBE: what is granted, and that the answer waits for the store.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/world.h"

namespace mooring::sim {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::string kGetTopic = "/pk/dev1/user/get";

TEST(Subscribe, AnsweredAfterTheStoreHasIt) {
  in_many_worlds([](World& world) {
    TestClient& device = world.connected("dev1");
    world.store.hold();
    const auto id = world.subscribe(device, {{kGetTopic, 1}});
    world.settle();
    EXPECT_THAT(device.subacks, IsEmpty());
    EXPECT_EQ(world.store.memory.size(), 0U);
    world.store.go_on();
    EXPECT_THAT(device.subacks, IsEmpty()) << "not inline";
    world.settle();
    EXPECT_EQ(world.store.memory.size(), 1U);
    EXPECT_THAT(device.codes(id), ElementsAre(1));
  });
}

TEST(Subscribe, StoreFailureRefusesAllFilters) {
  in_many_worlds([](World& world) {
    TestClient& sender = world.connected_operator(world.pick(3));
    TestClient& device = world.connected("dev1");
    world.store.memory.fail_writes(true);
    const auto failed = world.subscribe(device, {{kGetTopic, 1}, {"/broadcast/pk/#", 0}});
    world.settle();
    EXPECT_THAT(device.codes(failed), ElementsAre(0x80, 0x80));
    world.publish(sender, kGetTopic, "one", 1);
    world.publish(sender, "/broadcast/pk/x", "two", 1);
    world.settle();
    EXPECT_THAT(device.got, IsEmpty()) << "a refused filter receives nothing";

    world.store.memory.fail_writes(false);
    const auto granted = world.subscribe(device, {{kGetTopic, 1}, {"/broadcast/pk/#", 0}});
    world.settle();
    EXPECT_THAT(device.codes(granted), ElementsAre(1, 0));
    EXPECT_EQ(world.store.memory.size(), 1U);
    world.publish(sender, kGetTopic, "three", 1);
    world.publish(sender, "/broadcast/pk/x", "four", 1);
    world.settle();
    EXPECT_THAT(device.payloads(), ElementsAre("three", "four"));
  });
}

TEST(Subscribe, RepetitionWaitsForTheSaveUnderWay) {
  in_many_worlds([](World& world) {
    TestClient& device = world.connected("dev1");
    world.store.hold();
    const auto first = world.subscribe(device, {{kGetTopic, 1}});
    const auto second = world.subscribe(device, {{kGetTopic, 1}});
    world.settle();
    EXPECT_THAT(device.subacks, IsEmpty());
    world.store.go_on();
    world.settle();
    ASSERT_EQ(device.subacks.size(), 2U);
    EXPECT_EQ(device.subacks[0].first, first);
    EXPECT_EQ(device.subacks[1].first, second);
    EXPECT_THAT(device.codes(second), ElementsAre(1));

    const std::size_t saves = world.store.saves;
    const auto third = world.subscribe(device, {{kGetTopic, 1}});
    EXPECT_THAT(device.codes(third), ElementsAre(1)) << "stored long ago: no reason to wait";
    EXPECT_EQ(world.store.saves, saves);
  });
}

TEST(Subscribe, FiltersOfOnePacketAreBounded) {
  in_many_worlds([](World& world) {
    world.rules.max_filters_per_subscribe = 2;
    TestClient& device = world.connected("dev1");
    const auto id = world.subscribe(device, {{kGetTopic, 1}, {"/pk/other/user/get", 1}, {"/broadcast/pk/#", 1}});
    world.settle();
    EXPECT_THAT(device.codes(id), ElementsAre(1, 0x80, 0x80));
    EXPECT_TRUE(device.online()) << "refused filters leave the connection open";
  });
}

TEST(Subscribe, SubscriptionsOfADeviceAreBounded) {
  in_many_worlds([](World& world) {
    world.rules.max_subscriptions = 2;
    TestClient& device = world.connected("dev1");
    const auto first =
        world.subscribe(device, {{"/pk/dev1/user/a", 1}, {"/pk/dev1/user/b", 1}, {"/pk/dev1/user/c", 1}});
    world.settle();
    EXPECT_THAT(device.codes(first), ElementsAre(1, 1, 0x80));
    const auto known = world.subscribe(device, {{"/pk/dev1/user/a", 0}});
    world.settle();
    EXPECT_THAT(device.codes(known), ElementsAre(0)) << "one that it has does not count again";
    world.unsubscribe(device, "/pk/dev1/user/b");
    const auto room = world.subscribe(device, {{"/pk/dev1/user/c", 1}});
    world.settle();
    EXPECT_THAT(device.codes(room), ElementsAre(1));
  });
}

TEST(Subscribe, QosTwoIsGrantedAsOne) {
  in_many_worlds([](World& world) {
    TestClient& device = world.connected("dev1");
    const auto id = world.subscribe(device, {{kGetTopic, 2}});
    world.settle();
    EXPECT_THAT(device.codes(id), ElementsAre(1));
  });
}

TEST(Subscribe, UnsubscribeEndsDeliveryAndIsStored) {
  in_many_worlds([](World& world) {
    TestClient& sender = world.connected_operator(world.pick(3));
    TestClient& device = world.connected("dev1");
    world.subscribed(device, {{kGetTopic, 1}, {"/broadcast/pk/#", 1}});
    world.store.hold();
    const auto first = world.unsubscribe(device, kGetTopic);
    const auto second = world.unsubscribe(device, "/broadcast/pk/#");
    world.settle();
    EXPECT_THAT(device.unsubacks, IsEmpty());
    world.store.go_on();
    world.settle();
    EXPECT_THAT(device.unsubacks, ElementsAre(first, second));
    world.publish(sender, kGetTopic, "one", 1);
    world.publish(sender, "/broadcast/pk/x", "two", 1);
    world.settle();
    EXPECT_THAT(device.got, IsEmpty());
    const auto unknown = world.unsubscribe(device, "/pk/dev1/user/never");
    EXPECT_EQ(device.unsubacks.back(), unknown);
    world.disconnect(device);
    world.settle();
    EXPECT_FALSE(world.connected("dev1").attached->session_present);
  });
}

TEST(Subscribe, NobodyIsAnsweredAfterItLeft) {
  in_many_worlds([](World& world) {
    TestClient& device = world.connected("dev1");
    world.store.hold();
    world.subscribe(device, {{kGetTopic, 1}});
    world.disconnect(device);
    TestClient& next = world.connect("dev1");
    world.run(world.pick(20));
    world.store.go_on();
    world.settle();
    EXPECT_THAT(device.subacks, IsEmpty());
    EXPECT_THAT(next.subacks, IsEmpty());
    EXPECT_TRUE(next.attached->session_present);
  });
}

}  // namespace
}  // namespace mooring::sim
