// When and how a publisher is answered, and the limits of what is open on both sides.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/model_client.h"

namespace mooring::sim {
namespace {

using broker::CloseCause;
using mqtt::PacketType;
using mqtt::ReasonCode;
using testing::ElementsAre;
using testing::IsEmpty;

AccountOptions lasting(mqtt::Version version = mqtt::Version::k311) {
  AccountOptions options;
  options.version = version;
  options.clean_session = false;
  options.session_expiry_s = mqtt::kNeverExpires;
  return options;
}
AccountOptions v5() {
  AccountOptions options;
  options.version = mqtt::Version::k5;
  return options;
}
std::vector<ReasonCode> reasons(const TestClient& who) {
  std::vector<ReasonCode> out;
  for (const SentAck& ack : who.acks) out.push_back(ack.reason);
  return out;
}

TEST(Acknowledge, OnlyAfterTheCommitAndInOrder) {
  in_many_worlds([](World& world) {
    TestClient& subscriber = world.connected_account("sub", lasting());
    world.subscribed(subscriber, {{"kept", 1}});
    world.disconnect(subscriber);
    TestClient& publisher = world.connected_account("pub");
    world.settle();
    world.store.hold();
    const auto first = world.publish(publisher, "kept", "1", 1);
    const auto second = world.publish(publisher, "nobody", "2", 1);
    world.settle();
    EXPECT_THAT(publisher.pubacks, IsEmpty());
    world.store.go_on();
    EXPECT_THAT(publisher.pubacks, IsEmpty()) << "not inline";
    world.settle();
    EXPECT_THAT(publisher.pubacks, ElementsAre(first, second));
    EXPECT_EQ(world.store.queued(), 1U);
  });
}

// What a device published over HTTP: no client of the broker waits, but somebody does.
std::optional<bool> publish_detached(World& world, const std::string& topic, std::optional<bool>& answer) {
  world.home_broker("dev1").publish_detached({device_key("dev1"), topic, base::as_bytes("1")},
                                             [&answer](bool safe) { answer = safe; });
  world.settle();
  return answer;
}

TEST(Acknowledge, ADetachedPublishIsAnsweredWhenItIsSafe) {
  in_many_worlds([](World& world) {
    std::optional<bool> answer;
    EXPECT_EQ(publish_detached(world, device_topic("dev1", "update"), answer), true) << "nobody listens";
    TestClient& subscriber = world.connected_account("sub", lasting());
    world.subscribed(subscriber, {{"/pk/+/user/#", 1}});
    world.disconnect(subscriber);
    answer.reset();
    world.store.hold();
    EXPECT_EQ(publish_detached(world, device_topic("dev1", "update"), answer), std::nullopt);
    world.store.go_on();
    world.settle();
    EXPECT_EQ(answer, true);
    EXPECT_EQ(world.store.queued(), 1U);
    world.store.memory.fail_writes(true);
    answer.reset();
    EXPECT_EQ(publish_detached(world, device_topic("dev1", "update"), answer), false);
    world.store.memory.fail_writes(false);
  });
}

TEST(Acknowledge, ADetachedPublishComesBackOnlyWhereTheDeviceMayHearIt) {
  in_many_worlds([](World& world) {
    TestClient& device = world.connected("dev1");
    world.subscribed(device, {{"/pk/dev1/user/#", 1}});
    std::optional<bool> answer;
    EXPECT_EQ(publish_detached(world, device_topic("dev1", "update"), answer), true);
    EXPECT_THAT(device.got, IsEmpty());
    world.home_broker("dev1").publish_detached(
        {device_key("dev1"), device_topic("dev1", "echo"), base::as_bytes("2"), true}, [](bool) {});
    world.settle();
    EXPECT_EQ(device.payloads(), std::vector<std::string>{"2"});
  });
}

TEST(Acknowledge, TheReceiversAcknowledgementIsAsGood) {
  in_many_worlds([](World& world) {
    TestClient& subscriber = world.connected_account("sub", lasting());
    world.subscribed(subscriber, {{"kept", 1}});
    TestClient& publisher = world.connected_account("pub");
    world.store.hold();
    world.publish(publisher, "kept", "1", 1);
    world.settle();
    ASSERT_EQ(subscriber.got.size(), 1U) << "QoS 1 does not wait for the disk";
    EXPECT_THAT(publisher.pubacks, IsEmpty());
    world.acknowledge(subscriber, subscriber.got[0].packet_id);
    world.settle();
    EXPECT_EQ(publisher.pubacks.size(), 1U);
    world.store.go_on();
    world.settle();
    EXPECT_EQ(world.store.queued(), 0U);
  });
}

TEST(Acknowledge, ReceiversThatKeepNothingAreNotWaitedFor) {
  in_many_worlds([](World& world) {
    TestClient& subscriber = world.connected_account("sub");
    world.subscribed(subscriber, {{"t", 1}});
    TestClient& publisher = world.connected_account("pub");
    world.store.hold();
    world.publish(publisher, "t", "1", 1);
    world.settle();
    EXPECT_EQ(subscriber.got.size(), 1U);
    EXPECT_EQ(publisher.pubacks.size(), 1U);
    world.disconnect(subscriber);
    world.publish(publisher, "t", "2", 1);
    world.settle();
    EXPECT_EQ(publisher.pubacks.size(), 2U);
  });
}

TEST(Acknowledge, AReceiverThatGoesForGoodIsNotWaitedFor) {
  in_many_worlds([](World& world) {
    AccountOptions options = lasting(mqtt::Version::k5);
    TestClient& subscriber = world.connected_account("sub", options);
    world.subscribed(subscriber, {{"t", 2}});
    TestClient& publisher = world.connected_account("pub");
    world.settle();
    world.store.hold();
    world.publish(publisher, "t", "1", 1);
    world.settle();
    EXPECT_THAT(publisher.pubacks, IsEmpty());
    options.clean_session = true;
    world.connect_account("sub", options);
    world.settle();
    EXPECT_EQ(publisher.pubacks.size(), 1U);
    world.store.go_on();
    world.settle();
  });
}

TEST(Acknowledge, ReasonsOfVersionFive) {
  in_many_worlds([](World& world) {
    TestClient& subscriber = world.connected_account("sub", lasting());
    world.subscribed(subscriber, {{"t", 1}});
    TestClient& publisher = world.connected_account("pub", v5());
    world.publish(publisher, "t", "1", 1);
    world.publish(publisher, "nobody", "2", 1);
    world.publish(publisher, "secret/x", "3", 1);
    world.publish(publisher, "secret/x", "4", 2);
    world.publish(publisher, "nobody", "5", 2);
    world.settle();
    EXPECT_THAT(reasons(publisher),
                ElementsAre(ReasonCode::kSuccess, ReasonCode::kNoMatchingSubscribers, ReasonCode::kNotAuthorized,
                            ReasonCode::kNotAuthorized, ReasonCode::kNoMatchingSubscribers));
    EXPECT_TRUE(publisher.online());
  });
}

TEST(Acknowledge, QuotaExceeded) {
  in_many_worlds([](World& world) {
    broker::ClientRules small = world.account_rules;
    small.session.max_queued_messages = 1;
    AccountOptions options = lasting();
    options.rules = &small;
    TestClient& subscriber = world.connected_account("sub", options);
    world.subscribed(subscriber, {{"t", 2}});
    world.disconnect(subscriber);
    TestClient& publisher = world.connected_account("pub", v5());
    for (const int qos : {1, 1, 2}) world.publish(publisher, "t", "x", static_cast<std::uint8_t>(qos));
    world.settle();
    EXPECT_THAT(reasons(publisher),
                ElementsAre(ReasonCode::kSuccess, ReasonCode::kQuotaExceeded, ReasonCode::kQuotaExceeded));
    const auto refused = publisher.acks.back().packet_id;
    world.pubrel(publisher, refused);
    world.settle();
    EXPECT_EQ(publisher.acks.back().reason, ReasonCode::kPacketIdentifierNotFound) << "a refused message is over";
  });
}

TEST(Acknowledge, ReceiveMaximumOfTheClient) {
  in_many_worlds([](World& world) {
    AccountOptions options = v5();
    options.receive_maximum = 2;
    TestClient& subscriber = world.connected_account("sub", options);
    world.subscribed(subscriber, {{"t", 2}});
    TestClient& publisher = world.connected_account("pub");
    for (int i = 0; i < 4; ++i) world.publish(publisher, "t", std::to_string(i), 2);
    world.settle();
    EXPECT_THAT(subscriber.payloads(), ElementsAre("0", "1"));
    world.pubrec(subscriber, subscriber.got[0].packet_id);
    world.settle();
    EXPECT_EQ(subscriber.got.size(), 2U) << "PUBREC frees no place";
    world.pubcomp(subscriber, subscriber.got[0].packet_id);
    world.settle();
    EXPECT_THAT(subscriber.payloads(), ElementsAre("0", "1", "2"));
    world.publish(publisher, "t", "QoS 0", 0);
    world.settle();
    EXPECT_EQ(subscriber.got.size(), 4U) << "does not count";
  });
}

TEST(Acknowledge, ReceiveMaximumOfTheServer) {
  in_many_worlds([](World& world) {
    world.account_rules.max_received_in_flight = 2;
    TestClient& subscriber = world.connected_account("sub", lasting());
    world.subscribed(subscriber, {{"t", 2}});
    world.disconnect(subscriber);
    TestClient& publisher = world.connected_account("pub", v5());
    const auto first = world.publish(publisher, "t", "1", 2);
    world.publish(publisher, "t", "2", 1);
    world.settle();
    world.publish(publisher, "t", "3", 1);
    world.settle();
    EXPECT_TRUE(publisher.online()) << "the second is acknowledged";
    world.pubrel(publisher, first);
    world.settle();
    world.publish(publisher, "t", "4", 2);
    world.publish(publisher, "t", "5", 2);
    world.settle();
    ASSERT_TRUE(publisher.online());
    world.publish(publisher, "t", "6", 1);
    EXPECT_EQ(publisher.closed, CloseCause::kReceiveMaximum) << "PUBREC gives no place back";
  });
}

TEST(Acknowledge, OlderVersionsAreNotReadFrom) {
  in_many_worlds([](World& world) {
    world.account_rules.max_received_in_flight = 4;
    TestClient& subscriber = world.connected_account("sub", lasting());
    world.subscribed(subscriber, {{"t", 1}});
    world.disconnect(subscriber);
    TestClient& publisher = world.connected_account("pub");
    world.settle();
    world.store.hold();
    for (int i = 0; i < 3; ++i) world.publish(publisher, "t", "x", 1);
    EXPECT_FALSE(publisher.paused);
    world.publish(publisher, "t", "x", 1);
    EXPECT_TRUE(publisher.paused);
    world.settle();
    EXPECT_TRUE(publisher.paused);
    world.store.go_on();
    world.settle();
    EXPECT_FALSE(publisher.paused);
    EXPECT_EQ(publisher.pubacks.size(), 4U);
  });
}

// ---- QoS 2 ----------------------------------------------------------------------------------------------------------

TEST(QosTwo, FromEndToEnd) {
  in_many_worlds([](World& world) {
    TestClient& subscriber = world.connected_account("sub", lasting());
    world.subscribed(subscriber, {{"t", 2}});
    TestClient& publisher = world.connected_account("pub", lasting());
    world.settle();
    world.store.hold();
    const auto id = world.publish(publisher, "t", "1", 2);
    world.settle();
    EXPECT_THAT(publisher.acks, IsEmpty());
    EXPECT_THAT(subscriber.got, IsEmpty()) << "a crash could deliver it twice";
    world.store.go_on();
    world.settle();
    ASSERT_EQ(publisher.acks.size(), 1U);
    EXPECT_EQ(publisher.acks[0].type, PacketType::kPubrec);
    ASSERT_EQ(subscriber.got.size(), 1U);
    world.repeat(publisher, "t", "1", 2, id);
    world.settle();
    EXPECT_EQ(publisher.acks.size(), 2U);
    EXPECT_EQ(subscriber.got.size(), 1U);
    world.store.hold();
    world.pubrel(publisher, id);
    world.pubrec(subscriber, subscriber.got[0].packet_id);
    world.settle();
    EXPECT_EQ(publisher.acks.size(), 2U) << "PUBCOMP waits for the store";
    EXPECT_THAT(subscriber.acks, IsEmpty()) << "so does PUBREL";
    world.store.go_on();
    world.settle();
    EXPECT_EQ(publisher.acks.back().type, PacketType::kPubcomp);
    ASSERT_EQ(subscriber.acks.size(), 1U);
    EXPECT_EQ(subscriber.acks[0].type, PacketType::kPubrel);
    world.pubcomp(subscriber, subscriber.acks[0].packet_id);
    world.settle();
    EXPECT_EQ(world.store.queued(), 0U);
    world.publish(publisher, "t", "2", 2);
    world.settle();
    EXPECT_THAT(subscriber.payloads(), ElementsAre("1", "2"));
  });
}

TEST(QosTwo, UnknownPacketsAreAnswered) {
  in_many_worlds([](World& world) {
    TestClient& who = world.connected_account("c", v5());
    world.pubrel(who, 77);
    world.pubrec(who, 78);
    world.pubcomp(who, 79);
    world.acknowledge(who, 80);
    world.settle();
    ASSERT_EQ(who.acks.size(), 2U);
    EXPECT_EQ(who.acks[0].type, PacketType::kPubcomp);
    EXPECT_EQ(who.acks[0].reason, ReasonCode::kPacketIdentifierNotFound);
    EXPECT_EQ(who.acks[1].type, PacketType::kPubrel);
    EXPECT_EQ(who.acks[1].reason, ReasonCode::kPacketIdentifierNotFound);
    EXPECT_TRUE(who.online());
  });
}

enum class Break { kConnection, kServer };

// Publisher and subscriber lose their connections after `steps` steps of the handshakes.
void break_after(World& world, std::size_t steps, Break what) {
  ModelClient publisher(world, "pub", mqtt::Version::k311, true);
  ModelClient subscriber(world, "sub", mqtt::Version::k311, true);
  subscriber.connect();
  publisher.connect();
  world.settle();
  subscriber.work();
  publisher.work();
  subscriber.subscribe({{"t", 2}});
  world.settle();
  publisher.publish("t", "once", 2);
  while (steps-- > 0) {
    if (world.chance(60)) {
      world.run(1);
    } else {
      (world.chance(50) ? publisher : subscriber).work(1);
    }
  }
  if (what == Break::kServer) {
    world.kill();
    publisher.lost();
    subscriber.lost();
  } else {
    if (world.chance(70)) publisher.disconnect(broker::OfflineReason::kConnectionReset);
    if (world.chance(70)) subscriber.disconnect(broker::OfflineReason::kConnectionReset);
  }
  for (int i = 0; i < 20; ++i) {
    for (ModelClient* each : {&publisher, &subscriber}) {
      if (!each->online()) each->connect();
      world.settle();
      each->work();
      world.settle();
    }
  }
  ASSERT_EQ(subscriber.heard.size(), 1U) << "exactly once";
  EXPECT_EQ(publisher.open_count(), 0U);
  EXPECT_EQ(publisher.sent[0].fate, ModelClient::Sent::Fate::kDone);
  EXPECT_EQ(world.store.queued(), 0U);
}

TEST(QosTwo, ExactlyOnceWhateverStepTheConnectionsBreakAt) {
  for_each_seed(400, [](std::uint64_t seed) {
    World world(seed);
    break_after(world, seed % 60, Break::kConnection);
  });
}
TEST(QosTwo, ExactlyOnceWhateverStepTheServerIsKilledAt) {
  for_each_seed(400, [](std::uint64_t seed) {
    World world(seed);
    break_after(world, seed % 60, Break::kServer);
  });
}

}  // namespace
}  // namespace mooring::sim
