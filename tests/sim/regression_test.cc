// Faults that were found once: each test fails on the code as it was.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/world.h"

namespace mooring::sim {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string kGetTopic = "/pk/dev1/user/get";

AccountOptions lasting() {
  AccountOptions options;
  options.clean_session = false;
  options.session_expiry_s = mqtt::kNeverExpires;
  return options;
}

// A session that was given up told of it before its offline status had left the loop.
TEST(Regression, OfflineBeforeOnlineAlsoWhenTheSessionWasGivenUp) {
  in_many_worlds([](World& world) {
    TestClient& onlooker = world.connected_operator(world.pick(3), {{"/as/mqtt/status/#", 0}});
    TestClient& first = world.connected("dev1");
    world.disconnect(first);
    world.connected("dev1");
    EXPECT_THAT(onlooker.payloads(),
                ElementsAre(HasSubstr(R"("online")"), HasSubstr(R"("offline")"), HasSubstr(R"("online")")));
  });
}

TEST(Regression, CleanSessionOneDropsWhatIsStored) {
  in_many_worlds([](World& world) {
    world.rules.subscriptions_outlive_clean_session = false;
    DeviceOptions clean;
    clean.clean_session = true;
    TestClient& first = world.connected("dev1");
    world.subscribed(first, {{kGetTopic, 1}});
    world.disconnect(first);
    world.settle();
    TestClient& second = world.connected("dev1", clean);
    world.disconnect(second);
    world.settle();
    EXPECT_FALSE(world.connected("dev1").attached->session_present);
  });
}
TEST(Regression, SessionOfCleanSessionOneEndsWithItsConnection) {
  in_many_worlds([](World& world) {
    world.rules.subscriptions_outlive_clean_session = false;
    DeviceOptions clean;
    clean.clean_session = true;
    TestClient& first = world.connected("dev1", clean);
    world.subscribed(first, {{kGetTopic, 1}});
    world.disconnect(first);
    world.settle();
    EXPECT_EQ(world.session_count(), 0U);
    EXPECT_FALSE(world.connected("dev1").attached->session_present);
  });
}

// The failure of an older save takes away what a newer one has stored and granted.
TEST(Regression, GrantedMeansSubscribed) {
  in_many_worlds([](World& world) {
    TestClient& sender = world.connected_operator(world.pick(3));
    TestClient& device = world.connected("dev1");
    world.store.memory.fail_writes(true);
    const auto refused = world.subscribe(device, {{kGetTopic, 1}});
    world.store.memory.commit();
    world.store.memory.fail_writes(false);
    const auto granted = world.subscribe(device, {{kGetTopic, 1}});
    world.settle();
    EXPECT_THAT(device.codes(refused), ElementsAre(0x80));
    EXPECT_THAT(device.codes(granted), ElementsAre(1));
    world.publish(sender, kGetTopic, "x", 1);
    world.settle();
    EXPECT_THAT(device.payloads(), ElementsAre("x"));
  });
}

// A save failed while nobody was there to be told; the next SUBSCRIBE believes that it is stored.
TEST(Regression, GrantedMeansStored) {
  in_many_worlds([](World& world) {
    TestClient& first = world.connected("dev1");
    world.store.memory.fail_writes(true);
    world.subscribe(first, {{kGetTopic, 1}});
    world.disconnect(first);
    world.settle();
    world.store.memory.fail_writes(false);
    TestClient& second = world.connected("dev1");
    world.subscribed(second, {{kGetTopic, 1}});
    EXPECT_EQ(world.store.memory.size(), 1U);
  });
}
// The same with a save that is only slow: the new connection's answer must wait for it.
TEST(Regression, RepetitionOnANewConnectionWaitsForTheSaveUnderWay) {
  in_many_worlds([](World& world) {
    TestClient& first = world.connected("dev1");
    world.store.hold();
    world.subscribe(first, {{kGetTopic, 1}});
    world.disconnect(first);
    TestClient& second = world.connected("dev1");
    world.subscribe(second, {{kGetTopic, 1}});
    world.settle();
    EXPECT_TRUE(second.subacks.empty());
    EXPECT_EQ(world.store.memory.size(), 0U);
    world.store.go_on();
    world.settle();
  });
}

// Permits what does not begin so.
class AllBut final : public broker::Authorizer {
 public:
  explicit AllBut(std::string forbidden) : forbidden_(std::move(forbidden)) {}
  Verdict may_publish(std::string_view) const override { return Verdict::kAllowed; }
  std::uint64_t revision() const override { return 0; }
  Verdict may_subscribe(std::string_view filter) const override {
    return filter.starts_with(forbidden_) ? Verdict::kNotPermitted : Verdict::kAllowed;
  }

 private:
  const std::string forbidden_;
};

void fail_what_waits(World& world) {
  world.store.memory.commit();
  world.store.memory.fail_writes(false);
}

// What was refused was in memory for a moment, and another save under way stored it.
TEST(Regression, RefusedMeansNotStored) {
  in_many_worlds([](World& world) {
    TestClient& client = world.connected_account("c", lasting());
    world.subscribed(client, {{"old", 1}, {"kept", 1}});
    world.store.memory.fail_writes(true);
    const auto refused = world.subscribe(client, {{"new", 1}});
    fail_what_waits(world);
    const AllBut narrower("old");
    world.broker(client.loop).narrow_account("lab", narrower);
    world.settle();
    EXPECT_THAT(client.codes(refused), ElementsAre(0x80));
    world.kill();
    TestClient& sender = world.connected_account("sender");
    for (const char* topic : {"old", "new", "kept"}) world.publish(sender, topic, topic, 1);
    world.settle();
    EXPECT_THAT(world.connected_account("c", lasting()).payloads(), ElementsAre("kept"));
  });
}
// It was told while the save that carried it was the last one.
TEST(Regression, RefusedMeansNotStoredAlreadyWhenItIsTold) {
  in_many_worlds([](World& world) {
    TestClient& client = world.connected_account("c", lasting());
    world.subscribed(client, {{"old", 1}, {"kept", 1}});
    world.store.memory.fail_writes(true);
    const auto refused = world.subscribe(client, {{"new", 1}});
    fail_what_waits(world);
    const AllBut narrower("old");
    world.broker(client.loop).narrow_account("lab", narrower);
    world.store.memory.commit();
    while (client.subacks.size() < 2) ASSERT_TRUE(world.step());
    EXPECT_THAT(client.codes(refused), ElementsAre(0x80));
    world.kill();
    TestClient& sender = world.connected_account("sender");
    for (const char* topic : {"old", "new", "kept"}) world.publish(sender, topic, topic, 1);
    world.settle();
    EXPECT_THAT(world.connected_account("c", lasting()).payloads(), ElementsAre("kept"));
  });
}
// The options of a refused SUBSCRIBE stayed with the subscription that there was.
TEST(Regression, ARefusedSubscribeLeavesTheOlderOneAsItWas) {
  in_many_worlds([](World& world) {
    TestClient& client = world.connected_account("c", lasting());
    world.subscribed(client, {{"t", 0}});
    world.store.memory.fail_writes(true);
    const auto refused = world.subscribe(client, {{"t", 1}});
    fail_what_waits(world);
    world.settle();
    EXPECT_THAT(client.codes(refused), ElementsAre(0x80));
    TestClient& sender = world.connected_account("sender");
    world.publish(sender, "t", "x", 1);
    world.settle();
    ASSERT_EQ(client.got.size(), 1U);
    EXPECT_EQ(client.got[0].qos, 0);
  });
}
// A filter whose first SUBSCRIBE nobody waited for any more was taken for an old one by the next.
TEST(Regression, RefusedTwiceIsNotSubscribed) {
  in_many_worlds([](World& world) {
    TestClient& sender = world.connected_operator(world.pick(3));
    TestClient& first = world.connected("dev1");
    world.store.memory.fail_writes(true);
    world.subscribe(first, {{kGetTopic, 1}});
    if (world.chance(50)) world.disconnect(first);
    TestClient& second = world.connect("dev1");
    world.run(world.pick(10));
    if (!second.online()) world.settle();
    const auto refused = world.subscribe(second, {{kGetTopic, 1}});
    world.settle();
    EXPECT_THAT(second.codes(refused), ElementsAre(0x80));
    world.store.memory.fail_writes(false);
    world.publish(sender, kGetTopic, "x", 1);
    world.settle();
    EXPECT_THAT(second.got, testing::IsEmpty());
  });
}
// UNSUBACK goes out although the store failed; the record follows as soon as it can.
TEST(Regression, UnsubscribedIsStoredInTheEnd) {
  in_many_worlds([](World& world) {
    TestClient& client = world.connected_account("c", lasting());
    world.subscribed(client, {{"t", 1}});
    world.store.memory.fail_writes(true);
    world.unsubscribe(client, "t");
    world.settle();
    EXPECT_EQ(client.unsubacks.size(), 1U);
    world.store.memory.fail_writes(false);
    world.pass(1);
    world.kill();
    TestClient& sender = world.connected_account("sender");
    world.publish(sender, "t", "x", 1);
    world.settle();
    EXPECT_THAT(world.connected_account("c", lasting()).got, testing::IsEmpty());
  });
}

// A device without subscriptions has no record; what was pushed to it was stored under a number that nobody knew.
TEST(Regression, WhatIsPushedOutlivesACrash) {
  in_many_worlds([](World& world) {
    world.connected("dev1");
    TestClient& sender = world.connected_operator(world.pick(3));
    const auto id = world.publish(sender, "/ext/error/pk/dev1", "1", 1);
    world.settle();
    EXPECT_THAT(sender.pubacks, ElementsAre(id)) << "acknowledged means stored";
    world.kill();
    EXPECT_THAT(world.connected("dev1").payloads(), ElementsAre("1"));
  });
}

// The record was erased with the last subscription, and with it what waited and all that came later.
TEST(Regression, MessagesOutliveTheLastSubscription) {
  in_many_worlds([](World& world) {
    TestClient& sender = world.connected_operator(world.pick(3));
    TestClient& first = world.connected("dev1");
    world.subscribed(first, {{kGetTopic, 1}});
    world.publish(sender, kGetTopic, "1", 1);
    world.settle();
    world.unsubscribe(first, kGetTopic);
    world.disconnect(first);
    world.settle();
    if (world.chance(50)) world.kill();
    TestClient& second = world.connected("dev1");
    EXPECT_THAT(second.payloads(), ElementsAre("1"));
    world.acknowledge(second, second.got[0].packet_id);
    world.subscribed(second, {{kGetTopic, 1}});
    world.disconnect(second);
    world.settle();
    TestClient& other = world.connected_operator(world.pick(3));
    world.publish(other, kGetTopic, "2", 1);
    world.settle();
    EXPECT_THAT(world.connected("dev1").payloads(), ElementsAre("2"));
  });
}

TEST(Regression, DisabledWhileAttaching) {
  in_many_worlds([](World& world) {
    TestClient& device = world.connect("dev1");
    for (std::size_t i = 0; i < 3; ++i) world.broker(i).close_device(device_key("dev1"), broker::CloseCause::kDisabled);
    world.settle();
    EXPECT_FALSE(device.online());
  });
}

// After a restart every device was held to the rules of profile `aliyun` until it came: QoS and rate of its messages.
TEST(Regression, ARestoredSessionLivesUnderTheProfileItsDeviceHad) {
  in_many_worlds([](World& world) {
    world.rules.max_deliveries_per_s = 1;
    DeviceOptions standard;
    standard.rules = &world.standard_device_rules;
    TestClient& device = world.connected("dev1", standard);
    world.subscribed(device, {{kGetTopic, 1}});
    if (world.chance(50)) world.disconnect(device);
    world.kill();
    if (world.chance(50)) world.kill();  // it is kept, too, when a session is stored that was only restored
    AccountOptions v5;
    v5.version = mqtt::Version::k5;
    TestClient& sender = world.connected_account("sender", v5);
    std::vector<std::string> sent;
    for (int i = 0; i < 5; ++i) {
      sent.push_back(std::to_string(i));
      world.publish(sender, kGetTopic, sent.back(), i == 3 ? 2 : 1);
      world.settle();
    }
    for (const SentAck& ack : sender.acks) EXPECT_EQ(ack.reason, mqtt::ReasonCode::kSuccess);
    TestClient& again = world.connected("dev1", standard);
    EXPECT_THAT(again.payloads(), testing::ElementsAreArray(sent));
    for (const Delivery& delivery : again.got) EXPECT_EQ(delivery.qos, 1) << "granted 1";
  });
}
// A product's profile may change; the record follows when the device connects.
TEST(Regression, TheRecordFollowsAChangeOfProfile) {
  in_many_worlds([](World& world) {
    world.rules.max_deliveries_per_s = 1;
    DeviceOptions standard;
    standard.rules = &world.standard_device_rules;
    TestClient& first = world.connected("dev1");
    world.subscribed(first, {{kGetTopic, 1}});
    TestClient& second = world.connected("dev1", standard);
    world.disconnect(second);
    world.settle();
    world.kill();
    TestClient& sender = world.connected_operator(world.pick(3));
    world.clock.now += 10;
    for (const char* payload : {"1", "2", "3"}) world.publish(sender, kGetTopic, payload, 1);
    TestClient& back = world.connected_account("sender");
    for (const char* payload : {"4", "5", "6"}) world.publish(back, kGetTopic, payload, 1);
    world.settle();
    EXPECT_EQ(world.connected("dev1", standard).got.size(), 6U);
  });
}

// What was over the rate kept its place of the Receive Maximum for ever, until the client could publish nothing more.
TEST(Regression, APublishOverTheRateIsAnsweredInMqtt5) {
  in_many_worlds([](World& world) {
    world.rules.max_qos1_publishes_per_s = 2;
    world.rules.max_received_in_flight = 4;
    TestClient& keeper = world.connected_account("keeper", lasting());
    world.subscribed(keeper, {{"/pk/dev1/#", 1}});
    world.disconnect(keeper);
    world.settle();
    DeviceOptions v5;
    v5.version = mqtt::Version::k5;
    TestClient& device = world.connected("dev1", v5);
    world.clock.now += 2000;
    world.store.hold();
    for (int i = 0; i < 4; ++i) world.publish(device, "/pk/dev1/user/update", std::to_string(i), 1);
    world.settle();
    EXPECT_THAT(device.acks, testing::IsEmpty()) << "the first is not stored, and answers keep their order";
    world.store.go_on();
    world.settle();
    ASSERT_EQ(device.acks.size(), 4U);
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(device.acks[i].packet_id, i + 1);
      EXPECT_EQ(device.acks[i].reason, i < 2 ? mqtt::ReasonCode::kSuccess : mqtt::ReasonCode::kQuotaExceeded);
    }
    for (int i = 4; i < 20; ++i) {
      world.publish(device, "/pk/dev1/user/update", std::to_string(i), 1);
      world.settle();
    }
    EXPECT_TRUE(device.online());
    EXPECT_EQ(device.acks.size(), 20U);
  });
}
// What was discarded for its size was acknowledged before what came ahead of it [MQTT-4.6.0-2].
TEST(Regression, ADiscardedPublishIsAnsweredInItsPlace) {
  in_many_worlds([](World& world) {
    TestClient& keeper = world.connected_account("keeper", lasting());
    world.subscribed(keeper, {{"/pk/dev1/#", 1}});
    world.disconnect(keeper);
    world.settle();
    TestClient& device = world.connected("dev1");
    world.store.hold();
    world.publish(device, "/pk/dev1/user/update", "1", 1);
    world.broker(device.loop).discard(*device.client, 1, 2);
    world.settle();
    EXPECT_THAT(device.pubacks, testing::IsEmpty());
    world.store.go_on();
    world.settle();
    EXPECT_THAT(device.pubacks, ElementsAre(1, 2));
  });
}
TEST(Regression, APublishOverTheRateIsNotAnsweredInMqtt3) {
  in_many_worlds([](World& world) {
    world.rules.max_qos1_publishes_per_s = 2;
    TestClient& device = world.connected("dev1");
    for (int i = 0; i < 20; ++i) world.publish(device, "/pk/dev1/user/update", std::to_string(i), 1);
    world.settle();
    EXPECT_THAT(device.pubacks, ElementsAre(1, 2));
    EXPECT_TRUE(device.online());
  });
}

// ---- Bounds and orders that a hostile reader found missing
// -----------------------------------------------------------

// A QoS 2 message waited outside the session's queue until it was stored elsewhere, and later ones overtook it.
TEST(Regression, AMessageThatOthersStoreKeepsItsPlace) {
  in_many_worlds([](World& world) {
    TestClient& keeper = world.connected_account("keeper", lasting());
    world.subscribed(keeper, {{"t", 2}});
    TestClient& passing = world.connected_account("passing");
    world.subscribed(passing, {{"t", 2}});
    TestClient& publisher = world.connected_account("pub");
    world.store.hold();
    world.publish(publisher, "t", "1", 2);
    world.publish(publisher, "t", "2", 1);
    world.settle();
    EXPECT_THAT(passing.payloads(), testing::IsEmpty());
    world.store.go_on();
    world.settle();
    EXPECT_THAT(passing.payloads(), ElementsAre("1", "2"));
  });
}

// When it cannot be stored it goes to nobody, and what is behind it moves up.
TEST(Regression, AMessageThatNobodyStoredIsGivenUp) {
  in_many_worlds([](World& world) {
    AccountOptions v5;
    v5.version = mqtt::Version::k5;
    TestClient& keeper = world.connected_account("keeper", lasting());
    world.subscribed(keeper, {{"t", 2}});
    TestClient& passing = world.connected_account("passing");
    world.subscribed(passing, {{"t", 2}});
    TestClient& publisher = world.connected_account("pub", v5);
    world.store.memory.fail_writes(true);
    world.publish(publisher, "t", "1", 2);
    world.settle();
    world.store.memory.commit();
    world.settle();
    world.store.memory.fail_writes(false);
    ASSERT_EQ(publisher.acks.size(), 1U);
    EXPECT_EQ(publisher.acks[0].reason, mqtt::ReasonCode::kQuotaExceeded);
    world.publish(publisher, "t", "2", 2);
    world.settle();
    EXPECT_THAT(passing.payloads(), ElementsAre("2"));
  });
}

TEST(Regression, LastingSessionsOfAnAccountAreBounded) {
  in_many_worlds([](World& world) {
    broker::ClientRules rules = world.account_rules;
    rules.max_lasting_sessions = 2;
    AccountOptions options = lasting();
    options.rules = &rules;
    std::size_t refused = 0;
    for (int i = 0; i < 30; ++i) {
      TestClient& client = world.connect_account("c" + std::to_string(i), options);
      world.settle();
      if (client.refused) {
        EXPECT_EQ(client.refused, broker::AttachError::kTooManySessions);
        ++refused;
      } else {
        world.disconnect(client);
        world.settle();
      }
    }
    EXPECT_EQ(refused, 30 - 2 * world.loop_count());
    AccountOptions passing;
    passing.rules = &rules;
    EXPECT_TRUE(world.connected_account("c99", passing).online()) << "what ends with its connection is no matter";
  });
}
// They were counted with the others, so that pages without a session kept an account from having lasting ones.
TEST(Regression, PassingSessionsTakeNoPlaceOfLastingOnes) {
  in_many_worlds([](World& world) {
    broker::ClientRules rules = world.account_rules;
    rules.max_lasting_sessions = 2;
    AccountOptions passing;
    passing.rules = &rules;
    for (int i = 0; i < 20; ++i) world.connected_account("passing" + std::to_string(i), passing);
    AccountOptions options = lasting();
    options.rules = &rules;
    TestClient& first = world.connected_account("one", options);
    world.disconnect(first);
    world.settle();
    passing.clean_session = true;
    TestClient& again = world.connected_account("one", passing);  // no lasting one any more
    std::size_t refused = 0;
    for (int i = 0; i < 30; ++i) {
      TestClient& client = world.connect_account("c" + std::to_string(i), options);
      world.settle();
      if (client.refused) ++refused;
    }
    EXPECT_EQ(refused, 30 - 2 * world.loop_count());
    EXPECT_TRUE(again.online());
  });
}

TEST(Regression, AReloadedRateHoldsForSessionsThatAreThere) {
  in_many_worlds([](World& world) {
    TestClient& device = world.connected("dev1");
    world.subscribed(device, {{kGetTopic, 0}});
    TestClient& sender = world.connected_account("sender");
    const auto send = [&] {
      device.got.clear();
      for (int i = 0; i < 20; ++i) world.publish(sender, kGetTopic, "x", 0);
      world.settle();
      return device.got.size();
    };
    EXPECT_EQ(send(), 20U);
    world.rules.max_deliveries_per_s = 3;
    EXPECT_LE(send(), 4U);
    world.rules.max_deliveries_per_s = 0;
    EXPECT_EQ(send(), 20U);
  });
}

TEST(Regression, FiltersAreBoundedInLevelsAndBytes) {
  in_many_worlds([](World& world) {
    broker::ClientRules rules = world.account_rules;
    rules.max_filter_levels = 10;
    rules.max_subscription_levels = 20;
    rules.max_subscription_bytes = 100;
    AccountOptions options;
    options.version = mqtt::Version::k5;
    options.rules = &rules;
    const auto codes = [&](TestClient& client, const World::Filters& filters) {
      const auto id = world.subscribe(client, filters);
      world.settle();
      return client.codes(id);
    };
    TestClient& deep = world.connected_account("deep", options);
    EXPECT_THAT(codes(deep, {{"1/2/3/4/5/6/7/8/9/10/11", 0}}), ElementsAre(0x8F));
    EXPECT_THAT(codes(deep, {{"1/2/3/4/5/6/7/8/9/10", 0}, {"a/2/3/4/5/6/7/8/9/10", 0}}), ElementsAre(0, 0));
    EXPECT_THAT(codes(deep, {{"one", 0}, {"1/2/3/4/5/6/7/8/9/10", 1}}), ElementsAre(0x97, 1));
    world.unsubscribe(deep, "a/2/3/4/5/6/7/8/9/10");
    world.settle();
    EXPECT_THAT(codes(deep, {{"one", 0}}), ElementsAre(0));
    TestClient& longish = world.connected_account("longish", options);
    EXPECT_THAT(codes(longish, {{std::string(60, 'x'), 0}, {std::string(40, 'y'), 0}}), ElementsAre(0, 0));
    EXPECT_THAT(codes(longish, {{"z", 0}}), ElementsAre(0x97));
  });
}

}  // namespace
}  // namespace mooring::sim
