// What administration does to sessions: kick, disable, delete.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/world.h"

namespace mooring::sim {
namespace {

using broker::CloseCause;
using testing::ElementsAre;
using testing::IsEmpty;

const std::string kGetTopic = "/pk/dev1/user/get";

TEST(Admin, CloseDeviceKeepsTheSession) {
  in_many_worlds([](World& world) {
    TestClient& sender = world.connected_operator(world.pick(3));
    TestClient& device = world.connected("dev1");
    world.subscribed(device, {{kGetTopic, 1}});
    EXPECT_FALSE(world.broker((device.loop + 1) % 3).close_device(device_key("dev1"), CloseCause::kKicked))
        << "not here";
    EXPECT_TRUE(world.broker(device.loop).is_online(device_key("dev1")));
    EXPECT_TRUE(world.broker(device.loop).close_device(device_key("dev1"), CloseCause::kDisabled));
    EXPECT_EQ(device.closed, CloseCause::kDisabled);
    EXPECT_FALSE(world.broker(device.loop).is_online(device_key("dev1")));
    EXPECT_FALSE(world.broker(device.loop).close_device(device_key("dev1"), CloseCause::kDisabled)) << "not connected";
    world.publish(sender, kGetTopic, "kept", 1);
    world.settle();
    EXPECT_THAT(world.presence.events, ElementsAre("dev1 online", "dev1 offline: Device disabled"));
    EXPECT_THAT(world.connected("dev1").payloads(), ElementsAre("kept"));
  });
}

TEST(Admin, ClosesADeviceWhoseSessionIsOnItsWay) {
  in_many_worlds([](World& world) {
    TestClient& device = world.connect("dev1");
    bool any = false;
    for (std::size_t loop = 0; loop < 3; ++loop) {
      any = world.broker(loop).close_device(device_key("dev1"), CloseCause::kDisabled) || any;
    }
    EXPECT_TRUE(any);
    world.settle();
    EXPECT_EQ(device.closed, CloseCause::kDisabled);
    EXPECT_FALSE(device.attached);
    EXPECT_THAT(world.presence.events, IsEmpty());
    EXPECT_EQ(world.session_count(), 0U);
  });
}

TEST(Admin, CloseProductDropsItsSessionsFromMemory) {
  in_many_worlds([](World& world) {
    TestClient& first = world.connected(world.name_at_home_on(1, 0));
    world.subscribed(first, {{device_topic(world.name_at_home_on(1, 0), "get"), 1}});
    TestClient& second = world.connected(world.name_at_home_on(1, 1));
    const std::string gone = world.name_at_home_on(1, 2);
    TestClient& away = world.connected(gone);
    world.subscribed(away, {{device_topic(gone, "get"), 1}});
    world.disconnect(away);
    TestClient& elsewhere = world.connected(world.name_at_home_on(0, 0));
    world.broker(1).close_product("other");
    world.settle();
    EXPECT_TRUE(first.online());
    world.broker(1).close_product(kProduct);
    world.settle();
    EXPECT_EQ(first.closed, CloseCause::kDeleted);
    EXPECT_EQ(second.closed, CloseCause::kDeleted);
    EXPECT_TRUE(elsewhere.online()) << "each loop closes its own";
    EXPECT_EQ(world.session_count(), 1U);
  });
}

class OnlyGet final : public broker::Authorizer {
 public:
  Verdict may_publish(std::string_view) const override { return Verdict::kAllowed; }
  std::uint64_t revision() const override { return 0; }
  Verdict may_subscribe(std::string_view filter) const override {
    return filter.ends_with("/get") ? Verdict::kAllowed : Verdict::kNotPermitted;
  }
};

// A device's subscriptions last (connection.md 6.3), but not beyond what its product permits (13).
TEST(Admin, NarrowingADeviceEndsWhatIsNotPermittedAnyMore) {
  in_many_worlds([](World& world) {
    TestClient& device = world.connected("dev1");
    world.subscribed(device, {{kGetTopic, 1}, {"/pk/dev1/user/other", 1}, {"/broadcast/pk/#", 1}});
    if (world.chance(50)) world.disconnect(device);
    world.settle();
    const OnlyGet narrower;
    for (std::size_t loop = 0; loop < 3; ++loop) world.broker(loop).narrow_device(device_key("dev1"), narrower);
    world.settle();
    if (world.chance(50)) world.kill();
    TestClient& sender = world.connected_operator(world.pick(3));
    for (const char* topic : {"/pk/dev1/user/other", "/broadcast/pk/x", "/pk/dev1/user/get"}) {
      world.publish(sender, topic, topic, 1);
    }
    world.settle();
    TestClient& now = device.online() ? device : world.connected("dev1");
    EXPECT_THAT(now.payloads(), ElementsAre(kGetTopic));
  });
}

TEST(Admin, ForgetErasesFromTheStore) {
  in_many_worlds([](World& world) {
    TestClient& sender = world.connected_operator(world.pick(3));
    TestClient& device = world.connected("dev1");
    world.subscribed(device, {{kGetTopic, 1}});
    if (world.chance(50)) world.disconnect(device);
    EXPECT_EQ(world.store.memory.size(), 1U);
    for (std::size_t loop = 0; loop < 3; ++loop) {
      world.broker(loop).close_device(device_key("dev1"), CloseCause::kDeleted);
    }
    std::optional<bool> erased;
    world.broker(world.pick(3)).forget_session(session_key("dev1"), [&](bool yes) { erased = yes; });
    EXPECT_FALSE(erased) << "not inline";
    world.settle();
    EXPECT_EQ(erased, true);
    EXPECT_EQ(device.closed == CloseCause::kDeleted, !device.left);
    EXPECT_EQ(world.store.memory.size(), 0U);
    EXPECT_EQ(world.session_count(), 1U) << "the operator's";
    world.publish(sender, kGetTopic, "nobody", 1);
    TestClient& next = world.connected("dev1");
    EXPECT_FALSE(next.attached->session_present);
    world.publish(sender, kGetTopic, "not subscribed", 1);
    world.settle();
    EXPECT_THAT(next.got, IsEmpty());
  });
}

TEST(Admin, ForgetWinsOverASaveUnderWay) {
  in_many_worlds([](World& world) {
    TestClient& device = world.connected("dev1");
    world.subscribe(device, {{kGetTopic, 1}});
    std::optional<bool> erased;
    world.broker(world.pick(3)).forget_session(session_key("dev1"), [&](bool yes) { erased = yes; });
    world.run(world.pick(10));
    if (device.online()) world.subscribe(device, {{"/pk/dev1/user/more", 1}});
    world.settle();
    EXPECT_EQ(erased, true);
    EXPECT_TRUE(device.closed);
    EXPECT_EQ(world.store.memory.size(), 0U);
    EXPECT_EQ(world.session_count(), 0U);
  });
}

TEST(Admin, ForgetTellsWhenTheStoreRefuses) {
  in_many_worlds([](World& world) {
    TestClient& device = world.connected("dev1");
    world.subscribed(device, {{kGetTopic, 1}});
    world.store.memory.fail_writes(true);
    std::optional<bool> erased;
    world.broker(world.pick(3)).forget_session(session_key("dev1"), [&](bool yes) { erased = yes; });
    world.settle();
    EXPECT_EQ(erased, false);
    EXPECT_EQ(world.store.memory.size(), 1U);
    world.store.memory.fail_writes(false);
    world.broker(world.pick(3)).forget_session(session_key("dev1"), [&](bool yes) { erased = yes; });
    world.settle();
    EXPECT_EQ(erased, true);
    EXPECT_EQ(world.store.memory.size(), 0U);
  });
}

TEST(Admin, ServersOwnMessageReachesAllLoops) {
  in_many_worlds([](World& world) {
    TestClient& device = world.connected("dev1");
    world.subscribed(device, {{kGetTopic, 0}});
    TestClient& listener = world.connected_operator(1, {{"/pk/#", 1}});
    world.broker(world.pick(3)).publish_internal(kGetTopic, "from the server", 1);
    world.settle();
    EXPECT_THAT(device.payloads(), ElementsAre("from the server"));
    EXPECT_EQ(device.got[0].qos, 1);
    EXPECT_THAT(listener.payloads(), ElementsAre("from the server"));
  });
}

}  // namespace
}  // namespace mooring::sim
