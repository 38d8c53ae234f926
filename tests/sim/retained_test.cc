// Retained messages: kept, replaced, removed, and sent to new subscriptions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/world.h"

namespace mooring::sim {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

AccountOptions v5() {
  AccountOptions options;
  options.version = mqtt::Version::k5;
  return options;
}

TEST(Retained, IsKeptReplacedAndRemoved) {
  in_many_worlds([](World& world) {
    TestClient& publisher = world.connected_account("pub");
    TestClient& present = world.connected_account("present");
    world.subscribed(present, {{"t/#", 1}});
    world.publish(publisher, "t/a", "old", 1, true);
    world.publish(publisher, "t/a", "new", 1, true);
    world.publish(publisher, "t/b", "b", 0, true);
    world.publish(publisher, "t/c", "not kept", 1);
    world.settle();
    for (const Delivery& delivery : present.got) EXPECT_FALSE(delivery.retain) << "[MQTT-3.3.1-9]";
    TestClient& later = world.connected_account("later");
    world.subscribed(later, {{"t/+", 1}});
    EXPECT_THAT(later.payloads(), UnorderedElementsAre("new", "b"));
    for (const Delivery& delivery : later.got) EXPECT_TRUE(delivery.retain) << "[MQTT-3.3.1-8]";
    world.publish(publisher, "t/a", "", 1, true);
    world.settle();
    TestClient& last = world.connected_account("last");
    world.subscribed(last, {{"#", 1}});
    EXPECT_THAT(last.payloads(), ElementsAre("b"));
  });
}

TEST(Retained, SurvivesARestart) {
  in_many_worlds([](World& world) {
    TestClient& publisher = world.connected_account("pub");
    world.publish(publisher, "t/a", "kept", 1, true);
    world.publish(publisher, "t/b", "gone", 1, true);
    world.publish(publisher, "t/b", "", 1, true);
    world.settle();
    EXPECT_EQ(publisher.pubacks.size(), 3U);
    world.kill();
    TestClient& later = world.connected_account("later");
    world.subscribed(later, {{"t/#", 1}});
    EXPECT_THAT(later.payloads(), ElementsAre("kept"));
  });
}

TEST(Retained, AcknowledgedWhenItIsStored) {
  in_many_worlds([](World& world) {
    TestClient& publisher = world.connected_account("pub");
    world.settle();
    world.store.hold();
    world.publish(publisher, "t", "x", 1, true);
    world.settle();
    EXPECT_THAT(publisher.pubacks, IsEmpty());
    world.store.go_on();
    world.settle();
    EXPECT_EQ(publisher.pubacks.size(), 1U);
  });
}

TEST(Retained, HandlingAndOptionsOfVersionFive) {
  in_many_worlds([](World& world) {
    TestClient& publisher = world.connected_account("pub");
    world.publish(publisher, "t", "r", 1, true);
    world.settle();
    TestClient& who = world.connected_account("sub", v5());
    world.subscribed(who, {{"t", 1 | kRetainNever}});
    EXPECT_THAT(who.got, IsEmpty());
    world.subscribed(who, {{"t", 1 | kRetainIfNew}});
    EXPECT_THAT(who.got, IsEmpty()) << "it had that one";
    world.subscribed(who, {{"t", 1}});
    EXPECT_EQ(who.got.size(), 1U);
    world.subscribed(who, {{"+", 1 | kRetainIfNew}});
    EXPECT_EQ(who.got.size(), 2U);
    TestClient& keeps = world.connected_account("rap", v5());
    world.subscribe(keeps, {{"t", 1 | kRetainAsPublished | kRetainNever}}, 7);
    world.settle();
    world.publish(publisher, "t", "live", 1, true);
    world.settle();
    ASSERT_EQ(keeps.got.size(), 1U);
    EXPECT_TRUE(keeps.got[0].retain);
    EXPECT_THAT(keeps.got[0].subscription_ids, ElementsAre(7U));
  });
}

TEST(Retained, ExpiresLikeAnyMessage) {
  in_many_worlds([](World& world) {
    TestClient& publisher = world.connected_account("pub", v5());
    world.publish(publisher, "t", "r", 1, true, 60);
    world.settle();
    world.pass(30);
    TestClient& soon = world.connected_account("soon");
    world.subscribed(soon, {{"t", 1}});
    EXPECT_EQ(soon.got.size(), 1U);
    world.pass(31);
    TestClient& late = world.connected_account("late");
    world.subscribed(late, {{"t", 1}});
    EXPECT_THAT(late.got, IsEmpty());
    world.kill();
    TestClient& after = world.connected_account("after");
    world.subscribed(after, {{"t", 1}});
    EXPECT_THAT(after.got, IsEmpty());
  });
}

// More than a page, to a client that reads a little now and then: all of them, once, as fast as it takes them.
TEST(Retained, ComesAsFastAsTheClientReads) {
  for_each_seed(20, [](std::uint64_t seed) {
    World world(seed);
    TestClient& publisher = world.connected_account("pub");
    constexpr std::size_t kTopics = 300;
    for (std::size_t i = 0; i < kTopics; ++i) {
      world.publish(publisher, "t/" + std::to_string(i), std::to_string(i), static_cast<std::uint8_t>(i % 3), true);
    }
    world.settle();
    AccountOptions options;
    options.clean_session = world.chance(50);
    TestClient& slow = world.connected_account("slow", options);
    slow.full_after = 0;
    world.subscribe(slow, {{"t/#", static_cast<std::uint8_t>(world.pick(3))}});
    world.settle();
    EXPECT_THAT(slow.got, IsEmpty());
    std::vector<std::string> all;
    std::size_t answered = 0;
    for (int round = 0; round < 3000 && all.size() < kTopics; ++round) {
      slow.full_after = slow.got.size() + world.pick(20);
      world.resume(slow);
      world.settle();
      EXPECT_LE(slow.got.size(), slow.full_after);
      for (; answered < slow.got.size(); ++answered) {
        const Delivery delivery = slow.got[answered];
        EXPECT_TRUE(delivery.retain);
        all.push_back(delivery.payload);
        if (delivery.qos == 1) world.acknowledge(slow, delivery.packet_id);
        if (delivery.qos == 2) {
          world.pubrec(slow, delivery.packet_id);
          world.settle();
          world.pubcomp(slow, delivery.packet_id);
        }
      }
    }
    std::sort(all.begin(), all.end());
    EXPECT_EQ(all.size(), kTopics);
    EXPECT_EQ(std::unique(all.begin(), all.end()), all.end()) << "one came twice";
  });
}

TEST(Retained, UnsubscribingEndsTheReplay) {
  in_many_worlds([](World& world) {
    TestClient& publisher = world.connected_account("pub");
    for (int i = 0; i < 100; ++i) world.publish(publisher, "t/" + std::to_string(i), "x", 0, true);
    world.settle();
    TestClient& slow = world.connected_account("slow");
    slow.full_after = 10;
    world.subscribed(slow, {{"t/#", 0}});
    EXPECT_EQ(slow.got.size(), 10U);
    world.unsubscribe(slow, "t/#");
    slow.full_after = SIZE_MAX;
    world.resume(slow);
    world.settle();
    EXPECT_EQ(slow.got.size(), 10U);
  });
}

// A permission that was taken away ends what is still on its way, too.
TEST(Retained, LosingThePermissionEndsTheReplay) {
  class Nothing final : public broker::Authorizer {
    Verdict may_publish(std::string_view) const override { return Verdict::kNotPermitted; }
    Verdict may_subscribe(std::string_view) const override { return Verdict::kNotPermitted; }
    std::uint64_t revision() const override { return 1; }
  };
  in_many_worlds([](World& world) {
    TestClient& publisher = world.connected_account("pub");
    for (int i = 0; i < 100; ++i) world.publish(publisher, "t/" + std::to_string(i), "x", 0, true);
    world.settle();
    TestClient& slow = world.connected_account("slow");
    slow.full_after = 10;
    world.subscribed(slow, {{"t/#", 0}});
    EXPECT_EQ(slow.got.size(), 10U);
    world.broker(slow.loop).narrow_account("lab", Nothing());
    slow.full_after = SIZE_MAX;
    world.resume(slow);
    world.settle();
    EXPECT_EQ(slow.got.size(), 10U);
  });
}

TEST(Retained, SharedSubscriptionsGetNone) {
  in_many_worlds([](World& world) {
    TestClient& publisher = world.connected_account("pub");
    world.publish(publisher, "t", "r", 1, true);
    world.settle();
    TestClient& member = world.connected_account("m");
    world.subscribed(member, {{"$share/g/t", 1}});
    EXPECT_THAT(member.got, IsEmpty());
  });
}

}  // namespace
}  // namespace mooring::sim
