// What reaches a device without a SUBSCRIBE of its own: connection.md 6.6.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "session/automatic_topics.h"
#include "sim/world.h"

namespace mooring::sim {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::string kSet = "/sys/pk/dev1/thing/service/property/set";
const std::string kReset = "/sys/pk/dev1/thing/reset_reply";

DeviceOptions automatic(bool clean = false) {
  DeviceOptions options;
  options.auto_subscribe = true;
  options.clean_session = clean;
  return options;
}

void publish_all(World& world, TestClient& sender, const std::string& payload) {
  for (std::size_t number = 0; number < session::kAutomaticTopics; ++number) {
    std::string topic = session::automatic_filter({kProduct, "dev1"}, number);
    if (const std::size_t plus = topic.find('+'); plus != std::string::npos) topic.replace(plus, 1, "x");
    world.publish(sender, topic, payload + std::to_string(number), 1);
  }
  world.settle();
}

TEST(Automatic, TheWholeListIsThereFromTheConnectOn) {
  in_many_worlds([](World& world) {
    TestClient& device = world.connected("dev1", automatic());
    EXPECT_THAT(device.order, ElementsAre("connack"));
    TestClient& sender = world.connected_account("back-end");
    publish_all(world, sender, "m");
    ASSERT_EQ(device.got.size(), session::kAutomaticTopics);
    for (std::size_t i = 0; i < device.got.size(); ++i) {
      EXPECT_EQ(device.got[i].payload, "m" + std::to_string(i));
      EXPECT_EQ(device.got[i].qos, 1) << "the publisher's quality of service counts (6.1)";
    }
    EXPECT_EQ(world.broker(device.loop).subscription_count(), 0U) << "no route is kept for them";
  });
}

// What a device may rely on from CONNACK on is stored before CONNACK, as with SUBACK (docs/adr/0010).
TEST(Automatic, ConnackWaitsForTheStore) {
  in_many_worlds([](World& world) {
    TestClient& sender = world.connected_account("back-end");
    world.store.hold();
    TestClient& device = world.connect("dev1", automatic());
    world.settle();
    EXPECT_TRUE(device.waiting());
    world.publish(sender, kSet, "early", 0);
    world.publish(sender, kSet, "early too", 1);
    world.settle();
    EXPECT_THAT(device.order, IsEmpty());
    EXPECT_THAT(world.presence.events, IsEmpty());
    world.store.go_on();
    EXPECT_THAT(device.order, IsEmpty()) << "not inline";
    world.settle();
    ASSERT_FALSE(device.order.empty());
    EXPECT_EQ(device.order.front(), "connack") << "nothing precedes it";
    EXPECT_TRUE(device.online());
    EXPECT_THAT(device.payloads(), ElementsAre("early too")) << "QoS 1 waits for a device that is away";
    world.publish(sender, kSet, "later", 0);
    world.settle();
    EXPECT_THAT(device.payloads(), ElementsAre("early too", "later"));
  });
}

TEST(Automatic, AKillRightAfterConnackForgetsNothing) {
  in_many_worlds([](World& world) {
    TestClient& device = world.connect("dev1", automatic(world.chance(50)));
    while (!device.attached && world.step()) continue;
    ASSERT_TRUE(device.attached);
    world.kill();
    world.publish(world.connected_account("back-end"), kSet, "set", 1);
    world.settle();
    TestClient& again = world.connected("dev1");
    const bool clean = device.client->info.clean_session;  // such a session keeps its subscriptions, but no messages
    if (clean) {
      world.publish(world.connected_account("another"), kSet, "set", 1);
      world.settle();
    }
    EXPECT_THAT(again.payloads(), ElementsAre("set"));
  });
}

TEST(Automatic, AStoreThatFailsRefusesTheConnect) {
  in_many_worlds([](World& world) {
    world.store.memory.fail_writes(true);
    TestClient& device = world.connect("dev1", automatic());
    world.settle();
    EXPECT_EQ(device.refused, broker::AttachError::kUnavailable);
    EXPECT_EQ(world.session_count(), 0U) << "nothing was created";
    world.store.memory.fail_writes(false);
    TestClient& sender = world.connected_account("back-end");
    TestClient& without = world.connected("dev1");
    world.publish(sender, kSet, "to nobody", 1);
    world.settle();
    EXPECT_THAT(without.got, IsEmpty()) << "the list was not given";
    TestClient& again = world.connected("dev1", automatic());
    EXPECT_TRUE(again.online());
    world.publish(sender, kSet, "set", 1);
    world.settle();
    EXPECT_THAT(again.payloads(), ElementsAre("set"));
  });
}

session::SessionNumber stored_number(World& world) {
  session::SessionNumber number = 0;
  EXPECT_TRUE(
      world.store.for_each_session([&](session::SessionRecord&& record, session::Epoch) { number = record.number; }));
  return number;
}

// What is acknowledged under a number of which the store knows nothing would be lost with the next start.
TEST(Automatic, ASessionThatBeganAnewWhileTheStoreFailedIsStoredAfterwards) {
  in_many_worlds([](World& world) {
    TestClient& first = world.connected("dev1");
    world.subscribed(first, {{device_topic("dev1", "get"), 1}});
    world.disconnect(first);
    world.settle();
    const session::SessionNumber before = stored_number(world);
    ASSERT_NE(before, 0U);
    world.store.memory.fail_writes(true);
    TestClient& anew = world.connect("dev1", automatic(true));
    world.settle();
    EXPECT_EQ(anew.refused, broker::AttachError::kUnavailable);
    world.store.memory.fail_writes(false);
    world.pass(60);
    EXPECT_NE(stored_number(world), before);
  });
}

TEST(Automatic, ADeviceThatLeavesWhileItWaitsWasNeverOnline) {
  in_many_worlds([](World& world) {
    world.store.hold();
    TestClient& device = world.connect("dev1", automatic());
    world.settle();
    world.disconnect(device);
    world.store.go_on();
    world.settle();
    EXPECT_THAT(device.order, IsEmpty());
    EXPECT_THAT(world.presence.events, IsEmpty());
    world.publish(world.connected_account("back-end"), kSet, "set", 1);
    world.settle();
    EXPECT_THAT(world.connected("dev1").payloads(), ElementsAre("set")) << "what was stored holds";
  });
}

TEST(Automatic, TheNewestConnectionWinsAlsoWhileOthersWait) {
  in_many_worlds([](World& world) {
    world.store.hold();
    TestClient& first = world.connect("dev1", automatic());
    if (world.chance(50)) world.settle();
    const bool again = world.chance(50);
    TestClient& second = world.connect("dev1", again ? automatic() : DeviceOptions{});
    if (world.chance(50)) world.settle();
    const bool fails = world.chance(30);
    if (fails) world.store.memory.fail_writes(true);
    world.store.go_on();
    world.settle();
    if (fails) world.store.memory.fail_writes(false);
    EXPECT_FALSE(first.online());
    EXPECT_THAT(first.order, testing::Not(testing::Contains("publish")));
    if (fails && again) {
      EXPECT_EQ(second.refused, broker::AttachError::kUnavailable);
    } else {
      EXPECT_TRUE(second.online());
      EXPECT_EQ(world.connections_of("dev1"), 1U);
    }
  });
}

TEST(Automatic, AnOlderConnectDoesNotDisplaceOneThatWaits) {
  in_many_worlds([](World& world) {
    world.store.hold();
    DeviceOptions newer = automatic();
    newer.arrival = 1'000'000;
    TestClient& late = world.connect("dev1", newer);
    world.settle();
    DeviceOptions older = automatic();
    older.arrival = 999'999;
    TestClient& early = world.connect("dev1", older);
    world.settle();
    EXPECT_EQ(early.refused, broker::AttachError::kTakenOver);
    world.store.go_on();
    world.settle();
    EXPECT_TRUE(late.online());
  });
}

TEST(Automatic, ADeviceThatIsDeletedWhileItWaitsIsGone) {
  in_many_worlds([](World& world) {
    world.store.hold();
    TestClient& device = world.connect("dev1", automatic());
    world.settle();
    world.home_broker("dev1").close_device(device_key("dev1"), broker::CloseCause::kDeleted);
    world.store.go_on();
    world.settle();
    EXPECT_EQ(device.closed, broker::CloseCause::kDeleted);
    EXPECT_FALSE(device.attached);
    EXPECT_EQ(world.session_count(), 0U);
  });
}

TEST(Automatic, WithoutTheParameterThereAreNone) {
  in_many_worlds([](World& world) {
    TestClient& device = world.connected("dev1");
    publish_all(world, world.connected_account("back-end"), "m");
    EXPECT_THAT(device.got, IsEmpty());
  });
}

TEST(Automatic, OthersAreNotReached) {
  in_many_worlds([](World& world) {
    TestClient& other = world.connected("dev2", automatic());
    world.connected("dev1", automatic());
    publish_all(world, world.connected_account("back-end"), "m");
    EXPECT_THAT(other.got, IsEmpty());
  });
}

TEST(Automatic, TheyPersist) {
  in_many_worlds([](World& world) {
    const bool clean = world.chance(50);
    TestClient& first = world.connected("dev1", automatic(clean));
    world.unsubscribe(first, kReset);
    world.settle();
    EXPECT_EQ(first.unsubacks.size(), 1U);
    if (world.chance(50)) world.disconnect(first);
    world.chance(50) ? world.kill() : world.restart_orderly();
    DeviceOptions again;
    again.clean_session = clean;
    again.auto_subscribe = world.chance(50);  // what was unsubscribed stays away
    TestClient& device = world.connected("dev1", again);
    TestClient& sender = world.connected_account("back-end");
    world.publish(sender, kSet, "set", 1);
    world.publish(sender, kReset, "reset", 1);
    world.settle();
    EXPECT_THAT(device.payloads(), ElementsAre("set"));

    // Asked for again it is back, and does not count as a subscription.
    world.subscribed(device, {{kReset, 1}});
    EXPECT_THAT(device.codes(device.last_packet_id), ElementsAre(1));
    world.publish(sender, kReset, "again", 1);
    world.settle();
    EXPECT_THAT(device.payloads(), ElementsAre("set", "again"));
  });
}

TEST(Automatic, MessagesWaitForADeviceThatIsAway) {
  in_many_worlds([](World& world) {
    world.disconnect(world.connected("dev1", automatic()));
    if (world.chance(50)) world.kill();
    world.publish(world.connected_account("back-end"), kSet, "set", 1);
    world.settle();
    EXPECT_THAT(world.connected("dev1").payloads(), ElementsAre("set"));
  });
}

TEST(Automatic, TheyDoNotCount) {
  in_many_worlds([](World& world) {
    world.rules.max_subscriptions = 2;
    TestClient& device = world.connected("dev1", automatic());
    world.subscribed(device, {{kSet, 1}, {"/pk/dev1/user/a", 1}, {"/pk/dev1/user/b", 1}, {kReset, 0}});
    EXPECT_THAT(device.codes(device.last_packet_id), ElementsAre(1, 1, 1, 0));
    const std::uint16_t id = world.subscribe(device, {{"/pk/dev1/user/c", 1}});
    world.settle();
    EXPECT_THAT(device.codes(id), ElementsAre(0x80));
    world.publish(world.connected_account("back-end"), kSet, "once", 1);
    world.settle();
    EXPECT_THAT(device.payloads(), ElementsAre("once"));
  });
}

TEST(Automatic, FourtySixAreOneRecordAndNothingIsWrittenAgain) {
  in_many_worlds([](World& world) {
    TestClient& first = world.connected("dev1", automatic());
    EXPECT_EQ(world.store.saves, 1U);
    EXPECT_TRUE(first.client->session == nullptr || first.online());
    world.disconnect(first);
    world.settle();
    world.connected("dev1", automatic());
    EXPECT_EQ(world.store.saves, 1U);
  });
}

TEST(Automatic, ADeviceDoesNotHearWhatItPublishesItself) {
  in_many_worlds([](World& world) {
    TestClient& device = world.connected("dev1", automatic());
    world.publish(device, kReset, "own", 1);
    world.settle();
    EXPECT_THAT(device.got, IsEmpty());
    EXPECT_EQ(device.pubacks.size(), 1U);
  });
}

TEST(Automatic, ClientsOfTheStandardHaveNone) {
  in_many_worlds([](World& world) {
    broker::ClientRules standard = world.account_rules;
    standard.reached_unasked = false;
    DeviceOptions options = automatic();
    options.rules = &standard;
    TestClient& device = world.connected("dev1", options);
    TestClient& sender = world.connected_operator(world.pick(3));
    publish_all(world, sender, "m");
    world.publish(sender, "/ext/error/pk/dev1", "{}", 0);
    world.settle();
    EXPECT_THAT(device.got, IsEmpty());
  });
}

TEST(Pushed, WhatThePlatformSaysNeedsNoSubscription) {
  in_many_worlds([](World& world) {
    TestClient& device = world.connected("dev1");
    TestClient& other = world.connected("dev2");
    TestClient& sender = world.connected_operator(world.pick(3));
    const std::vector<std::string> topics = {"/ext/error/pk/dev1", "/ext/ntp/pk/dev1/response",
                                             "/sys/pk/dev1/broadcast/request/9"};
    for (const std::string& topic : topics) world.publish(sender, topic, "operator", 0);
    for (const std::string& topic : topics) world.broker(world.pick(3)).publish_internal(topic, "server", 0);
    world.publish(sender, kSet, "not pushed", 0);
    world.settle();
    EXPECT_THAT(device.got.size(), 6U);
    EXPECT_THAT(device.payloads("/ext/error/"), testing::UnorderedElementsAre("operator", "server"));
    EXPECT_THAT(other.got, IsEmpty());
    // A back end is not the platform.
    world.publish(world.connected_account("back-end"), "/ext/error/pk/dev1", "account", 0);
    world.settle();
    EXPECT_THAT(device.got.size(), 6U);
  });
}

TEST(CustomRrpc, ReachesConnectionsThatAnnouncedIt) {
  in_many_worlds([](World& world) {
    const std::string topic = "/ext/rrpc/77//pk/dev1/user/get";
    DeviceOptions with;
    with.custom_rrpc = true;
    TestClient& first = world.connected("dev1", with);
    world.subscribed(first, {{"/ext/rrpc/+//pk/dev1/user/get", 1}});
    TestClient& sender = world.connected_account("back-end");
    world.publish(sender, topic, "first", 1);
    world.settle();
    TestClient& without = world.connected("dev1");
    world.publish(sender, topic, "second", 1);
    world.settle();
    TestClient& again = world.connected("dev1", with);
    world.publish(sender, topic, "third", 1);
    world.settle();
    EXPECT_THAT(first.payloads(), ElementsAre("first"));
    EXPECT_THAT(without.payloads(), ElementsAre("first")) << "sent again, for it was not acknowledged";
    EXPECT_THAT(again.payloads(), ElementsAre("first", "third"));
  });
}

}  // namespace
}  // namespace mooring::sim
