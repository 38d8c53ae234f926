// How clients get, keep and lose their sessions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/world.h"

namespace mooring::sim {
namespace {

using broker::CloseCause;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const World::Filters kGet = {{"/pk/dev1/user/get", 1}};
const World::Filters kStatus = {{"/as/mqtt/status/#", 1}};
const std::string kGetTopic = "/pk/dev1/user/get";

DeviceOptions clean() {
  DeviceOptions options;
  options.clean_session = true;
  return options;
}

TEST(Attach, FirstConnectionHasNoSession) {
  in_many_worlds([](World& world) {
    TestClient& device = world.connect("dev1");
    EXPECT_TRUE(device.waiting()) << "the answer never comes inline";
    world.settle();
    ASSERT_TRUE(device.online());
    EXPECT_FALSE(device.attached->session_present);
    EXPECT_TRUE(world.broker(device.loop).is_online(device_key("dev1")));
    EXPECT_EQ(world.connections_of("dev1"), 1U);
  });
}

TEST(Attach, SessionPresentNeedsCleanSessionZeroAndState) {
  in_many_worlds([](World& world) {
    TestClient& first = world.connected("dev1");
    world.disconnect(first);
    world.settle();
    TestClient& without_state = world.connected("dev1");
    EXPECT_FALSE(without_state.attached->session_present) << "no subscription, no message: no state";
    world.subscribed(without_state, kGet);
    world.disconnect(without_state);
    world.settle();
    TestClient& again = world.connected("dev1");
    EXPECT_TRUE(again.attached->session_present);
    world.disconnect(again);
    world.settle();
    TestClient& cleaning = world.connected("dev1", clean());
    EXPECT_FALSE(cleaning.attached->session_present);
  });
}

TEST(Attach, StoredSubscriptionsAreThereAfterARestart) {
  in_many_worlds([](World& world) {
    TestClient& first = world.connected("dev1");
    world.subscribed(first, kGet);
    if (world.chance(50)) world.disconnect(first);
    if (world.chance(50)) {
      world.kill();
    } else {
      world.restart_orderly();
    }
    EXPECT_EQ(world.session_count(), 1U);
    TestClient& sender = world.connected_operator(world.pick(3));
    world.publish(sender, kGetTopic, "hello", 1);
    world.settle();
    TestClient& device = world.connected("dev1");
    EXPECT_TRUE(device.attached->session_present);
    EXPECT_THAT(device.payloads(), ElementsAre("hello"));
  });
}

TEST(Attach, SessionsWithoutStateLeaveMemory) {
  in_many_worlds([](World& world) {
    TestClient& device = world.connected("dev1");
    TestClient& visitor = world.connected_operator(world.pick(3), kStatus);
    EXPECT_EQ(world.session_count(), 2U);
    world.disconnect(device);
    world.disconnect(visitor);
    world.settle();
    EXPECT_EQ(world.session_count(), 0U);
  });
}

// The old connection is closed, the new one is in, and an onlooker on any loop learns it in that order.
void expect_takeover(World& world, bool wants_notify) {
  TestClient& onlooker = world.connected_operator(world.pick(3), kStatus);
  DeviceOptions options;
  options.wants_notify = wants_notify;
  TestClient& older = world.connected("dev1", options);
  world.subscribed(older, kGet);
  TestClient& newer = world.connected("dev1", options);

  EXPECT_EQ(older.closed, CloseCause::kTakenOver);
  EXPECT_TRUE(newer.attached->session_present);
  EXPECT_TRUE(world.broker(newer.loop).is_online(device_key("dev1")));
  EXPECT_GT(newer.client->epoch, older.client->epoch);
  if (wants_notify) {
    ASSERT_EQ(older.got.size(), 1U);
    EXPECT_EQ(older.got[0].topic, "/ext/notify");
    EXPECT_EQ(older.got[0].payload, R"({"title":"kick","content":"Kicked by the same device"})");
    EXPECT_EQ(older.got[0].qos, 0);
    EXPECT_THAT(older.order, ElementsAre("connack", "suback", "publish", "close"));
  } else {
    EXPECT_THAT(older.got, IsEmpty());
  }
  EXPECT_THAT(world.presence.events,
              ElementsAre("dev1 online", "dev1 offline: Kicked by the same device", "dev1 online"));
  EXPECT_THAT(onlooker.payloads("/as/mqtt/status/pk/dev1"),
              ElementsAre(HasSubstr(R"("status":"online")"), HasSubstr(R"("status":"offline")"),
                          HasSubstr(R"("status":"online")")));
}

TEST(Attach, TakeOver) {
  in_many_worlds([](World& world) { expect_takeover(world, false); });
}
TEST(Attach, TakeOverWithNotice) {
  in_many_worlds([](World& world) { expect_takeover(world, true); });
}

TEST(Attach, TheLastOfManyRacingConnectionsStays) {
  in_many_worlds([](World& world) {
    std::vector<TestClient*> all;
    for (int i = 0; i < 8; ++i) {
      all.push_back(&world.connect("dev1"));
      world.run(world.pick(6));
    }
    world.settle();
    std::size_t online = 0;
    for (const TestClient* one : all) {
      EXPECT_FALSE(one->waiting()) << "each gets an answer";
      if (one->online()) ++online;
      EXPECT_EQ(one->refused.value_or(broker::AttachError::kTakenOver), broker::AttachError::kTakenOver);
      EXPECT_EQ(one->closed.value_or(CloseCause::kTakenOver), CloseCause::kTakenOver);
    }
    EXPECT_EQ(online, 1U);
    EXPECT_TRUE(all.back()->online());
    EXPECT_EQ(world.session_count(), 1U);
  });
}

// Two connections of one device came to two loops, and the sign-in of the older one took longer.
TEST(Attach, AnOlderConnectionDoesNotDisplaceANewerOne) {
  in_many_worlds([](World& world) {
    DeviceOptions older;
    older.arrival = world.broker(world.pick(3)).arrival();
    TestClient& before = world.connected("dev1");
    world.subscribed(before, kGet);
    TestClient& newer = world.connect("dev1");
    if (world.chance(50)) world.settle();
    TestClient& late = world.connect("dev1", older);
    world.settle();
    EXPECT_EQ(late.refused, broker::AttachError::kTakenOver);
    EXPECT_TRUE(newer.online());
    EXPECT_THAT(world.presence.events,
                ElementsAre("dev1 online", "dev1 offline: Kicked by the same device", "dev1 online"));
    TestClient& sender = world.connected_operator(world.pick(3));
    world.publish(sender, kGetTopic, "x", 1);
    world.settle();
    EXPECT_THAT(newer.payloads(), ElementsAre("x"));
    world.subscribed(newer, {{"/pk/dev1/user/more", 1}});  // its record is not stale

    world.disconnect(newer);
    world.settle();
    EXPECT_TRUE(world.connected("dev1", older).online()) << "nobody else is there";
  });
}
// Arrival decides, whatever the order of the claims; the last to arrive stays.
TEST(Attach, RacingConnectionsAreOrderedByTheirArrival) {
  in_many_worlds([](World& world) {
    std::vector<DeviceOptions> arrived(6);
    for (DeviceOptions& one : arrived) one.arrival = world.broker(world.pick(3)).arrival();
    std::vector<TestClient*> all;
    std::uint64_t newest = 0;
    while (!arrived.empty()) {
      const auto next = arrived.begin() + static_cast<std::ptrdiff_t>(world.pick(arrived.size()));
      newest = std::max(newest, next->arrival);
      all.push_back(&world.connect("dev1", *next));
      arrived.erase(next);
      world.run(world.pick(6));
    }
    world.settle();
    for (const TestClient* one : all) {
      EXPECT_FALSE(one->waiting()) << "each gets an answer";
      EXPECT_EQ(one->online(), one->client->info.arrival == newest);
    }
  });
}

TEST(Attach, ConnectionEndsWhileAttaching) {
  in_many_worlds([](World& world) {
    TestClient& first = world.connect("dev1");
    world.run(world.pick(5));  // from before the claim until after the answer
    world.disconnect(first);
    world.settle();
    EXPECT_EQ(world.session_count(), 0U);
    EXPECT_FALSE(world.presence.is_online["dev1"]);
    world.connected("dev1");
  });
}

TEST(Attach, ConnectionThatEndsWhileAttachingLeavesTheStateBehind) {
  in_many_worlds([](World& world) {
    TestClient& first = world.connected("dev1");
    world.subscribed(first, kGet);
    world.disconnect(first);
    world.settle();
    TestClient& second = world.connect("dev1");
    world.disconnect(second);
    world.settle();
    EXPECT_FALSE(second.attached);
    TestClient& sender = world.connected_operator(world.pick(3));
    world.publish(sender, kGetTopic, "kept", 1);
    world.settle();
    TestClient& third = world.connected("dev1");
    EXPECT_TRUE(third.attached->session_present);
    EXPECT_THAT(third.payloads(), ElementsAre("kept"));
  });
}

TEST(Attach, CleanSessionDropsMessagesAndKeepsSubscriptions) {
  in_many_worlds([](World& world) {
    TestClient& sender = world.connected_operator(world.pick(3));
    TestClient& first = world.connected("dev1");
    world.subscribed(first, kGet);
    world.publish(sender, kGetTopic, "unacknowledged", 1);
    world.settle();
    world.disconnect(first);
    world.publish(sender, kGetTopic, "queued", 1);
    world.settle();

    TestClient& second = world.connected("dev1", clean());
    EXPECT_FALSE(second.attached->session_present);
    EXPECT_THAT(second.got, IsEmpty());
    world.publish(sender, kGetTopic, "after", 1);
    world.settle();
    EXPECT_THAT(second.payloads(), ElementsAre("after")) << "the subscription outlives clean session 1";
    world.disconnect(second);
    world.settle();
    world.publish(sender, kGetTopic, "nobody home", 1);
    world.settle();
    TestClient& third = world.connected("dev1");
    EXPECT_TRUE(third.attached->session_present);
    EXPECT_THAT(third.got, IsEmpty()) << "a device with clean session 1 keeps nothing while it is away";
  });
}

TEST(Attach, ComingAgainWithCleanSessionWritesNothing) {
  in_many_worlds([](World& world) {
    TestClient& sender = world.connected_operator(world.pick(3));
    TestClient& first = world.connected("dev1", clean());
    world.subscribed(first, kGet);
    world.disconnect(first);
    world.settle();
    const std::size_t saves = world.store.saves;
    for (int i = 0; i < 3; ++i) {
      TestClient& again = world.connected("dev1", clean());
      world.publish(sender, kGetTopic, "there", 1);
      world.settle();
      EXPECT_THAT(again.payloads(), ElementsAre("there"));
      world.disconnect(again);
      world.settle();
    }
    EXPECT_EQ(world.store.saves, saves) << "the record has its subscriptions, and there is nothing else to keep";

    // Nothing is lost for that: neither the subscription, nor what is kept for it once it wants that.
    world.kill();
    TestClient& lasting = world.connected("dev1");
    TestClient& other = world.connected_operator(world.pick(3));
    world.publish(other, kGetTopic, "after the restart", 1);
    world.settle();
    EXPECT_THAT(lasting.payloads(), ElementsAre("after the restart"));
    world.acknowledge(lasting, lasting.got[0].packet_id);
    world.disconnect(lasting);
    world.settle();
    EXPECT_GT(world.store.saves, saves) << "its messages are kept under this number";
    world.publish(other, kGetTopic, "kept", 1);
    world.settle();
    world.kill();
    EXPECT_THAT(world.connected("dev1").payloads(), ElementsAre("kept"));
  });
}

TEST(Attach, ASaveThatFailedIsMadeUpForWhenItComesAgain) {
  in_many_worlds([](World& world) {
    TestClient& first = world.connected("dev1", clean());
    world.store.hold();
    world.subscribe(first, kGet);
    world.run(20);
    world.disconnect(first);
    TestClient& second = world.connect("dev1", clean());  // under another number
    world.store.memory.fail_writes(true);
    world.store.go_on();
    world.settle();
    world.store.memory.fail_writes(false);
    world.pass(60);
    ASSERT_TRUE(second.online());
    world.kill();
    TestClient& sender = world.connected_operator(world.pick(3));
    TestClient& third = world.connected("dev1", clean());
    world.publish(sender, kGetTopic, "x", 1);
    world.settle();
    EXPECT_THAT(third.payloads(), ElementsAre("x"));
  });
}

TEST(Attach, AFailedSaveOfAnOlderConnectionIsMadeUpFor) {
  in_many_worlds([](World& world) {
    TestClient& lasting = world.connected("dev1");
    world.subscribed(lasting, kGet);
    world.disconnect(lasting);
    world.settle();
    TestClient& sender = world.connected_operator(world.pick(3));
    world.publish(sender, kGetTopic, "of the old session", 1);
    world.settle();

    world.store.hold();
    TestClient& first = world.connected("dev1", clean());
    world.disconnect(first);
    world.run(20);
    TestClient& second = world.connected("dev1", clean());  // while that first save is under way
    world.store.memory.fail_writes(true);
    world.store.go_on();
    world.settle();
    world.store.memory.fail_writes(false);
    world.pass(60);
    ASSERT_TRUE(second.online());
    world.kill();
    EXPECT_THAT(world.connected("dev1").payloads(), IsEmpty()) << "the device said clean last";
  });
}

TEST(Attach, StandardScopeDropsSubscriptionsToo) {
  in_many_worlds([](World& world) {
    world.rules.subscriptions_outlive_clean_session = false;
    TestClient& sender = world.connected_operator(world.pick(3));
    TestClient& first = world.connected("dev1");
    world.subscribed(first, {{kGetTopic, 1}, {"/broadcast/pk/#", 1}});
    world.disconnect(first);
    world.settle();
    TestClient& second = world.connected("dev1", clean());
    world.publish(sender, kGetTopic, "own", 1);
    world.publish(sender, "/broadcast/pk/all", "all", 1);
    world.settle();
    EXPECT_THAT(second.got, IsEmpty());
    const std::size_t saves = world.store.saves;
    world.subscribed(second, kGet);
    EXPECT_EQ(world.store.saves, saves) << "nothing of such a session is stored";
    world.publish(sender, kGetTopic, "subscribed again", 1);
    world.settle();
    EXPECT_THAT(second.payloads(), ElementsAre("subscribed again"));
  });
}

TEST(Attach, StatusMessagesOfOrdinaryComingAndGoing) {
  in_many_worlds([](World& world) {
    TestClient& onlooker = world.connected_operator(world.pick(3), kStatus);
    TestClient& device = world.connected("dev1");
    world.disconnect(device, broker::OfflineReason::kKeepAliveTimeout);
    world.settle();
    EXPECT_THAT(onlooker.payloads(),
                ElementsAre(HasSubstr(R"("status":"online","iotId":"iot-dev1")"), HasSubstr(R"("status":"offline")")));
    EXPECT_EQ(onlooker.got[1].topic, "/as/mqtt/status/pk/dev1");
    EXPECT_THAT(world.presence.events, ElementsAre("dev1 online", "dev1 offline: Keepalive timeout"));
  });
}

TEST(Attach, StatusMessagesInOrderWhenTheSessionWasGivenUpBetween) {
  in_many_worlds([](World& world) {
    TestClient& onlooker = world.connected_operator(world.pick(3), kStatus);
    TestClient& device = world.connected("dev1");  // without state: released when it leaves
    world.disconnect(device);
    world.connected("dev1");
    EXPECT_THAT(onlooker.payloads(), ElementsAre(HasSubstr(R"("status":"online")"), HasSubstr(R"("status":"offline")"),
                                                 HasSubstr(R"("status":"online")")));
  });
}

}  // namespace
}  // namespace mooring::sim
