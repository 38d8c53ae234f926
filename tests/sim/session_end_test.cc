// How sessions of accounts end: expiry, wills, clean starts, restarts of the server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/world.h"

namespace mooring::sim {
namespace {

using broker::OfflineReason;
using testing::ElementsAre;
using testing::IsEmpty;

AccountOptions v5(std::uint32_t expiry_s, bool clean = false) {
  AccountOptions options;
  options.version = mqtt::Version::k5;
  options.clean_session = clean;
  options.session_expiry_s = expiry_s;
  return options;
}

AccountOptions with_will(std::uint32_t expiry_s, std::uint32_t delay_s, std::uint8_t qos = 1, bool retain = false) {
  AccountOptions options = v5(expiry_s);
  session::WillRecord will;
  will.topic = "will/c";
  will.payload = {'w'};
  will.qos = qos;
  will.retain = retain;
  will.delay_s = delay_s;
  options.will = will;
  return options;
}

TEST(Expiry, EndsTheSessionAfterItsTime) {
  in_many_worlds([](World& world) {
    TestClient& first = world.connected_account("c", v5(60));
    world.subscribed(first, {{"t", 1}});
    world.disconnect(first);
    world.settle();
    world.pass(59);
    TestClient& second = world.connected_account("c", v5(60));
    EXPECT_TRUE(second.attached->session_present);
    world.disconnect(second);
    world.settle();
    world.pass(61);
    EXPECT_EQ(world.session_count(), 0U);
    EXPECT_EQ(world.store.memory.size(), 0U);
    EXPECT_FALSE(world.connected_account("c", v5(60)).attached->session_present);
  });
}

TEST(Expiry, IsSeenAlsoBetweenTicks) {
  in_many_worlds([](World& world) {
    TestClient& first = world.connected_account("c", v5(60));
    world.subscribed(first, {{"t", 1}});
    world.disconnect(first);
    world.settle();
    world.clock.now += 61'000;
    EXPECT_FALSE(world.connected_account("c", v5(60)).attached->session_present);
  });
}

TEST(Expiry, CountsOverARestart) {
  in_many_worlds([](World& world) {
    TestClient& publisher = world.connected_account("pub");
    for (const char* name : {"a", "b"}) {
      TestClient& who = world.connected_account(name, v5(name[0] == 'a' ? 60 : 600));
      world.subscribed(who, {{"t", 1}});
      world.disconnect(who);
      world.settle();
    }
    world.publish(publisher, "t", "x", 1);
    world.settle();
    EXPECT_EQ(world.store.queued(), 2U);
    world.clock.now += 40'000;
    world.kill();
    world.pass(30);
    EXPECT_EQ(world.store.queued(), 1U) << "its messages went with the session";
    EXPECT_FALSE(world.connected_account("a", v5(60)).attached->session_present);
    TestClient& still = world.connected_account("b", v5(600));
    EXPECT_TRUE(still.attached->session_present);
    EXPECT_THAT(still.payloads(), ElementsAre("x"));
  });
}

TEST(Expiry, OfASessionThatWasConnectedBeginsWithTheRestart) {
  in_many_worlds([](World& world) {
    TestClient& first = world.connected_account("c", v5(60));
    world.subscribed(first, {{"t", 1}});
    world.clock.now += 3'600'000;
    world.kill();
    world.pass(50);
    EXPECT_TRUE(world.connected_account("c", v5(60)).attached->session_present);
  });
}

TEST(Expiry, ZeroEndsTheSessionWithItsConnection) {
  in_many_worlds([](World& world) {
    TestClient& first = world.connected_account("c", v5(0));
    world.subscribed(first, {{"t", 1}});
    world.disconnect(first);
    world.settle();
    EXPECT_EQ(world.session_count(), 0U);
    EXPECT_FALSE(world.connected_account("c", v5(0)).attached->session_present);
  });
}

// Found again with expiry 0: it still gets what waits, and ends with this connection.
TEST(Expiry, ZeroOnAResumedSessionStillDelivers) {
  in_many_worlds([](World& world) {
    TestClient& publisher = world.connected_account("pub");
    TestClient& first = world.connected_account("c", v5(600));
    world.subscribed(first, {{"t", 2}});
    world.disconnect(first);
    world.settle();
    for (const char* text : {"1", "2", "3"}) world.publish(publisher, "t", text, world.chance(50) ? 1 : 2);
    world.settle();
    TestClient& second = world.connected_account("c", v5(0));
    EXPECT_TRUE(second.attached->session_present);
    EXPECT_THAT(second.payloads(), ElementsAre("1", "2", "3"));
    world.disconnect(second);
    world.settle();
    EXPECT_EQ(world.session_count(), 1U) << "the publisher's";
    EXPECT_EQ(world.store.memory.size(), 0U);
    EXPECT_EQ(world.store.queued(), 0U);
  });
}

TEST(Expiry, DisconnectMayShortenIt) {
  in_many_worlds([](World& world) {
    TestClient& first = world.connected_account("c", v5(600));
    world.subscribed(first, {{"t", 1}});
    first.client->session_expiry_s = 0;
    world.disconnect(first);
    world.settle();
    EXPECT_EQ(world.session_count(), 0U);
    EXPECT_EQ(world.store.memory.size(), 0U);
  });
}

TEST(Expiry, CleanStartForgetsEverything) {
  in_many_worlds([](World& world) {
    TestClient& publisher = world.connected_account("pub");
    TestClient& first = world.connected_account("c", v5(600));
    world.subscribed(first, {{"t", 1}});
    world.publish(publisher, "t", "old", 1);
    world.settle();
    world.disconnect(first);
    world.publish(publisher, "t", "old too", 1);
    world.settle();
    TestClient& second = world.connected_account("c", v5(600, true));
    EXPECT_FALSE(second.attached->session_present);
    EXPECT_THAT(second.got, IsEmpty());
    EXPECT_EQ(world.store.queued(), 0U);
    world.publish(publisher, "t", "nobody asked", 1);
    world.settle();
    EXPECT_THAT(second.got, IsEmpty());
    world.subscribed(second, {{"t", 1}});
    world.disconnect(second);
    world.publish(publisher, "t", "new", 1);
    world.settle();
    if (world.chance(50)) world.kill();
    EXPECT_THAT(world.connected_account("c", v5(600)).payloads(), ElementsAre("new"));
  });
}

TEST(Expiry, MessagesExpireWhileTheyWait) {
  in_many_worlds([](World& world) {
    TestClient& publisher = world.connected_account("pub", v5(0));
    TestClient& first = world.connected_account("c", v5(600));
    world.subscribed(first, {{"t", 1}});
    world.disconnect(first);
    world.settle();
    world.publish(publisher, "t", "short", 1, false, 10);
    world.publish(publisher, "t", "long", 1, false, 100);
    world.settle();
    world.pass(11);
    EXPECT_THAT(world.connected_account("c", v5(600)).payloads(), ElementsAre("long"));
  });
}

// ---- Wills ----------------------------------------------------------------------------------------------------------

TEST(Will, IsPublishedWhenTheConnectionBreaks) {
  in_many_worlds([](World& world) {
    TestClient& onlooker = world.connected_account("on");
    world.subscribed(onlooker, {{"will/#", 2}});
    const std::uint8_t qos = static_cast<std::uint8_t>(world.pick(3));
    AccountOptions options = with_will(world.chance(50) ? 60 : 0, 0, qos, true);
    TestClient& who = world.connected_account("c", options);
    world.disconnect(who, OfflineReason::kConnectionReset);
    world.settle();
    ASSERT_THAT(onlooker.payloads(), ElementsAre("w"));
    EXPECT_EQ(onlooker.got[0].qos, qos);
    TestClient& later = world.connected_account("later");
    world.subscribed(later, {{"will/#", 2}});
    EXPECT_THAT(later.payloads(), ElementsAre("w")) << "retained";
    world.pass(100);
    EXPECT_EQ(onlooker.got.size(), 1U) << "once";
  });
}

TEST(Will, IsNotPublishedAfterAFarewell) {
  in_many_worlds([](World& world) {
    TestClient& onlooker = world.connected_account("on");
    world.subscribed(onlooker, {{"will/#", 1}});
    TestClient& who = world.connected_account("c", with_will(60, 0));
    world.disconnect(who);
    world.settle();
    world.pass(100);
    world.kill();
    TestClient& again = world.connected_account("on2");
    world.subscribed(again, {{"will/#", 1}});
    world.pass(100);
    EXPECT_THAT(onlooker.got, IsEmpty());
    EXPECT_THAT(again.got, IsEmpty());
  });
}

TEST(Will, IsPublishedAfterAFarewellThatAsksForIt) {
  in_many_worlds([](World& world) {
    TestClient& onlooker = world.connected_account("on");
    world.subscribed(onlooker, {{"will/#", 1}});
    TestClient& who = world.connected_account("c", with_will(60, 0));
    who.client->wants_will = true;
    world.disconnect(who);
    world.settle();
    EXPECT_EQ(onlooker.got.size(), 1U);
  });
}

TEST(Will, WaitsForItsDelay) {
  in_many_worlds([](World& world) {
    TestClient& onlooker = world.connected_account("on");
    world.subscribed(onlooker, {{"will/#", 1}});
    TestClient& who = world.connected_account("c", with_will(600, 60));
    world.disconnect(who, OfflineReason::kKeepAliveTimeout);
    world.settle();
    world.pass(59);
    EXPECT_THAT(onlooker.got, IsEmpty());
    world.pass(2);
    EXPECT_EQ(onlooker.got.size(), 1U);
    world.pass(1000);
    EXPECT_EQ(onlooker.got.size(), 1U);
  });
}

TEST(Will, ComesWithTheEndOfTheSessionIfThatIsEarlier) {
  in_many_worlds([](World& world) {
    TestClient& onlooker = world.connected_account("on");
    world.subscribed(onlooker, {{"will/#", 1}});
    TestClient& who = world.connected_account("c", with_will(30, 60));
    world.disconnect(who, OfflineReason::kConnectionReset);
    world.settle();
    world.pass(29);
    EXPECT_THAT(onlooker.got, IsEmpty());
    world.pass(2);
    EXPECT_EQ(onlooker.got.size(), 1U);
  });
}

TEST(Will, IsCancelledByAReconnection) {
  in_many_worlds([](World& world) {
    TestClient& onlooker = world.connected_account("on");
    world.subscribed(onlooker, {{"will/#", 1}});
    TestClient& who = world.connected_account("c", with_will(600, 60));
    if (world.chance(50)) {
      world.disconnect(who, OfflineReason::kConnectionReset);
      world.settle();
      world.pass(30);
    }
    world.connected_account("c", v5(600));
    world.pass(100);
    EXPECT_THAT(onlooker.got, IsEmpty());
  });
}

TEST(Will, IsPublishedByACleanStart) {
  in_many_worlds([](World& world) {
    TestClient& onlooker = world.connected_account("on");
    world.subscribed(onlooker, {{"will/#", 1}});
    TestClient& who = world.connected_account("c", with_will(600, 60));
    if (world.chance(50)) world.disconnect(who, OfflineReason::kConnectionReset);
    world.connected_account("c", v5(600, true));
    EXPECT_EQ(onlooker.got.size(), 1U) << "the old session ended";
    world.pass(100);
    EXPECT_EQ(onlooker.got.size(), 1U);
  });
}

TEST(Will, OfAStoredSessionSurvivesTheServer) {
  in_many_worlds([](World& world) {
    TestClient& who = world.connected_account("c", with_will(600, 60));
    TestClient& onlooker = world.connected_account("on", v5(600));
    world.subscribed(onlooker, {{"will/#", 1}});
    if (world.chance(50)) {
      world.disconnect(who, OfflineReason::kConnectionReset);
      world.settle();
    }
    world.kill();
    world.pass(10);
    EXPECT_THAT(world.connected_account("on", v5(600)).got, IsEmpty());
    world.pass(60);
    TestClient& after = world.connected_account("on", v5(600));
    EXPECT_THAT(after.payloads(), ElementsAre("w"));
    world.kill();
    world.pass(100);
    TestClient& last = world.connected_account("on", v5(600));
    for (const Delivery& delivery : last.got) EXPECT_TRUE(delivery.dup) << "it is not published again";
  });
}

// ---- Shared subscriptions -------------------------------------------------------------------------------------------

TEST(Shared, EveryMessageToOneMember) {
  in_many_worlds([](World& world) {
    std::vector<TestClient*> members;
    for (int i = 0; i < 4; ++i) {
      members.push_back(&world.connected_account("member" + std::to_string(i)));
      world.subscribed(*members.back(), {{"$share/g/t/+", 1}});
    }
    TestClient& alone = world.connected_account("alone");
    world.subscribed(alone, {{"$share/other/t/+", 1}, {"t/1", 1}});
    TestClient& publisher = world.connected_account("pub");
    for (int i = 0; i < 80; ++i) world.publish(publisher, "t/" + std::to_string(i), std::to_string(i), 1);
    world.settle();
    std::size_t sum = 0;
    for (const TestClient* member : members) {
      EXPECT_GE(member->got.size(), 10U) << "fair";
      sum += member->got.size();
    }
    EXPECT_EQ(sum, 80U);
    EXPECT_EQ(alone.got.size(), 81U) << "one of each group, and its plain subscription";
    EXPECT_EQ(publisher.pubacks.size(), 80U);
  });
}

TEST(Shared, TheAbsentAreLeftOutUntilAllAre) {
  in_many_worlds([](World& world) {
    TestClient& first = world.connected_account("m1", v5(600));
    TestClient& second = world.connected_account("m2", v5(600));
    for (TestClient* each : {&first, &second}) world.subscribed(*each, {{"$share/g/t", 1}});
    TestClient& publisher = world.connected_account("pub");
    world.disconnect(first);
    world.settle();
    for (int i = 0; i < 10; ++i) world.publish(publisher, "t", std::to_string(i), 1);
    world.settle();
    EXPECT_EQ(second.got.size(), 10U);
    for (const Delivery& delivery : std::vector<Delivery>(second.got)) world.acknowledge(second, delivery.packet_id);
    world.disconnect(second);
    world.settle();
    for (int i = 0; i < 10; ++i) world.publish(publisher, "t", "later" + std::to_string(i), 1);
    world.settle();
    EXPECT_EQ(publisher.pubacks.size(), 20U);
    if (world.chance(50)) world.kill();
    const std::size_t kept =
        world.connected_account("m1", v5(600)).got.size() + world.connected_account("m2", v5(600)).got.size();
    EXPECT_EQ(kept, 10U) << "nothing is lost and nothing comes twice";
  });
}

TEST(Shared, NobodyIsLeft) {
  in_many_worlds([](World& world) {
    AccountOptions publishers = v5(0);
    TestClient& publisher = world.connected_account("pub", publishers);
    TestClient& member = world.connected_account("m");
    world.subscribed(member, {{"$share/g/t", 1}});
    if (world.chance(50)) {
      world.unsubscribe(member, "$share/g/t");
    } else {
      world.disconnect(member);
    }
    world.settle();
    world.publish(publisher, "t", "x", 1);
    world.settle();
    ASSERT_EQ(publisher.acks.size(), 1U);
    EXPECT_EQ(publisher.acks[0].reason, mqtt::ReasonCode::kNoMatchingSubscribers);
  });
}

TEST(Subscription, NoLocalAndIdentifiers) {
  in_many_worlds([](World& world) {
    TestClient& who = world.connected_account("c", v5(0));
    world.subscribe(who, {{"t/#", 1 | kNoLocal}}, 3);
    world.subscribe(who, {{"t/+", 2}}, 4);
    world.settle();
    world.publish(who, "t/a", "own", 2);
    world.settle();
    ASSERT_THAT(who.payloads(), ElementsAre("own"));
    EXPECT_THAT(who.got[0].subscription_ids, ElementsAre(4U));
    TestClient& other = world.connected_account("o");
    world.publish(other, "t/a", "other", 2);
    world.settle();
    ASSERT_EQ(who.got.size(), 2U);
    EXPECT_EQ(who.got[1].qos, 2);
    EXPECT_THAT(who.got[1].subscription_ids, testing::UnorderedElementsAre(3U, 4U));
  });
}

}  // namespace
}  // namespace mooring::sim
