// The way of messages: who gets them, how often, at which QoS, in which order.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/world.h"

namespace mooring::sim {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::string kGetTopic = "/pk/dev1/user/get";
const std::string kUpdateTopic = "/pk/dev1/user/update";

std::vector<std::string> numbers(int first, int last) {
  std::vector<std::string> out;
  for (int i = first; i <= last; ++i) out.push_back(std::to_string(i));
  return out;
}

void send_numbers(World& world, TestClient& sender, int first, int last, std::uint8_t qos) {
  for (const std::string& number : numbers(first, last)) world.publish(sender, kGetTopic, number, qos);
  world.settle();
}

TEST(Delivery, WindowOfUnacknowledgedMessages) {
  in_many_worlds([](World& world) {
    world.rules.session.max_in_flight = 3;
    TestClient& sender = world.connected_operator(world.pick(3));
    TestClient& device = world.connected("dev1");
    world.subscribed(device, {{kGetTopic, 1}});
    send_numbers(world, sender, 1, 7, 1);
    ASSERT_EQ(device.payloads(), numbers(1, 3));
    world.acknowledge(device, device.got[1].packet_id);
    EXPECT_EQ(device.payloads(), numbers(1, 4)) << "one place, one message";
    world.acknowledge(device, device.got[1].packet_id);
    world.acknowledge(device, 9999);
    EXPECT_EQ(device.payloads(), numbers(1, 4)) << "what is not in flight makes no room";
    for (std::size_t i = 0; i < device.got.size(); ++i) world.acknowledge(device, device.got[i].packet_id);
    EXPECT_EQ(device.payloads(), numbers(1, 7));
    for (const Delivery& delivery : device.got) EXPECT_FALSE(delivery.dup);
  });
}

TEST(Delivery, QueueIsBoundedInMessages) {
  in_many_worlds([](World& world) {
    world.rules.session.max_in_flight = 2;
    world.rules.session.max_queued_messages = 3;
    TestClient& sender = world.connected_operator(world.pick(3));
    TestClient& device = world.connected("dev1");
    world.subscribed(device, {{kGetTopic, 1}});
    send_numbers(world, sender, 1, 9, 1);
    EXPECT_EQ(world.home_broker("dev1").counters().dropped_queue_full, 4U);
    for (std::size_t i = 0; i < device.got.size(); ++i) world.acknowledge(device, device.got[i].packet_id);
    EXPECT_EQ(device.payloads(), numbers(1, 5));
    world.disconnect(device);
    send_numbers(world, sender, 10, 14, 1);
    EXPECT_EQ(world.connected("dev1").payloads(), numbers(10, 11)) << "three kept, two of them fit the window";
    EXPECT_EQ(world.home_broker("dev1").counters().dropped_queue_full, 6U);
  });
}

TEST(Delivery, QueueIsBoundedInBytes) {
  in_many_worlds([](World& world) {
    const std::string payload(1000, 'x');
    world.rules.session.max_queued_bytes = 2500;
    TestClient& sender = world.connected_operator(world.pick(3));
    TestClient& device = world.connected("dev1");
    world.subscribed(device, {{kGetTopic, 1}});
    world.disconnect(device);
    for (int i = 0; i < 5; ++i) world.publish(sender, kGetTopic, payload, 1);
    world.settle();
    EXPECT_EQ(world.connected("dev1").got.size(), 2U);
    EXPECT_EQ(world.home_broker("dev1").counters().dropped_queue_full, 3U);
  });
}

TEST(Delivery, RedeliveryAfterReconnectCarriesDup) {
  in_many_worlds([](World& world) {
    world.rules.session.max_in_flight = 3;
    TestClient& sender = world.connected_operator(world.pick(3));
    TestClient& first = world.connected("dev1");
    world.subscribed(first, {{kGetTopic, 1}});
    send_numbers(world, sender, 1, 4, 1);
    world.acknowledge(first, first.got[1].packet_id);  // 2; then 4 goes out
    world.disconnect(first);
    send_numbers(world, sender, 5, 6, 1);
    TestClient& second = world.connected("dev1");
    ASSERT_THAT(second.payloads(), ElementsAre("1", "3", "4"));
    for (const Delivery& delivery : second.got) EXPECT_TRUE(delivery.dup);
    EXPECT_EQ(second.got[0].packet_id, first.got[0].packet_id) << "under its old identifier";
    for (std::size_t i = 0; i < second.got.size(); ++i) world.acknowledge(second, second.got[i].packet_id);
    ASSERT_THAT(second.payloads(), ElementsAre("1", "3", "4", "5", "6"));
    EXPECT_FALSE(second.got[3].dup);
    EXPECT_FALSE(second.got[4].dup);
  });
}

TEST(Delivery, TakenOverConnectionHandsItsMessagesOn) {
  in_many_worlds([](World& world) {
    TestClient& sender = world.connected_operator(world.pick(3));
    TestClient& older = world.connected("dev1");
    world.subscribed(older, {{kGetTopic, 1}});
    send_numbers(world, sender, 1, 3, 1);
    world.acknowledge(older, older.got[0].packet_id);
    TestClient& newer = world.connected("dev1");
    ASSERT_THAT(newer.payloads(), ElementsAre("2", "3"));
    EXPECT_TRUE(newer.got[0].dup);
  });
}

TEST(Delivery, QosZeroToTheAbsentIsDropped) {
  in_many_worlds([](World& world) {
    TestClient& sender = world.connected_operator(world.pick(3));
    TestClient& first = world.connected("dev1");
    world.subscribed(first, {{kGetTopic, 1}});
    world.disconnect(first);
    send_numbers(world, sender, 1, 2, 0);
    EXPECT_THAT(world.connected("dev1").got, IsEmpty());
    EXPECT_EQ(world.home_broker("dev1").counters().dropped_offline, 2U);
  });
}

TEST(Delivery, OverlappingFiltersDeliverOnce) {
  in_many_worlds([](World& world) {
    TestClient& sender = world.connected_operator(world.pick(3));
    TestClient& device = world.connected("dev1");
    world.subscribed(device, {{kGetTopic, 0},
                              {"/pk/dev1/user/#", 1},
                              {"/pk/dev1/+/get", 0},
                              {"/broadcast/pk/#", 0},
                              {"/broadcast/pk/+", 1}});
    TestClient& listener = world.connected_operator(world.pick(3), {{"#", 0}, {"/pk/+/user/get", 1}, {"/pk/#", 0}});
    TestClient& observer = world.connected_operator(world.pick(3), {{"/pk/+/user/get", 1}});
    world.publish(sender, kGetTopic, "a", 1);
    world.publish(sender, "/broadcast/pk/x", "b", 1);
    world.settle();
    EXPECT_THAT(device.payloads(), ElementsAre("a", "b"));
    ASSERT_THAT(listener.payloads(), ElementsAre("a", "b"));
    EXPECT_EQ(listener.got[0].qos, 1) << "the highest of the matching filters";
    EXPECT_EQ(listener.got[1].qos, 0);
    EXPECT_THAT(observer.payloads(), ElementsAre("a"));
  });
}

TEST(Delivery, DevicesGetThePublishersQosOperatorsTheLower) {
  in_many_worlds([](World& world) {
    TestClient& sender = world.connected_operator(world.pick(3));
    TestClient& device = world.connected("dev1");
    world.subscribed(device, {{kGetTopic, 0}});
    TestClient& low = world.connected_operator(world.pick(3), {{kGetTopic, 0}});
    TestClient& high = world.connected_operator(world.pick(3), {{kGetTopic, 1}});
    for (const std::uint8_t qos : {std::uint8_t{0}, std::uint8_t{1}}) {
      world.publish(sender, kGetTopic, "x", qos);
      world.settle();
      EXPECT_EQ(device.got.back().qos, qos);
      EXPECT_EQ(low.got.back().qos, 0);
      EXPECT_EQ(high.got.back().qos, qos);
    }
    EXPECT_EQ(device.got.size(), 2U);
  });
}

TEST(Delivery, DeviceMayBeGivenTheStandardsQos) {
  in_many_worlds([](World& world) {
    world.rules.deliver_at_publishers_qos = false;
    TestClient& sender = world.connected_operator(world.pick(3));
    TestClient& device = world.connected("dev1");
    world.subscribed(device, {{kGetTopic, 0}});
    send_numbers(world, sender, 1, 1, 1);
    ASSERT_EQ(device.got.size(), 1U);
    EXPECT_EQ(device.got[0].qos, 0);
  });
}

TEST(Delivery, CongestedClient) {
  in_many_worlds([](World& world) {
    TestClient& sender = world.connected_operator(world.pick(3));
    TestClient& device = world.connected("dev1");
    world.subscribed(device, {{kGetTopic, 1}});
    device.full = true;
    send_numbers(world, sender, 1, 3, 0);
    send_numbers(world, sender, 4, 6, 1);
    EXPECT_THAT(device.got, IsEmpty());
    EXPECT_EQ(world.home_broker("dev1").counters().dropped_congested, 3U);
    device.full_after = 2;
    world.resume(device);
    EXPECT_EQ(device.payloads(), numbers(4, 5)) << "as far as it reads";
    device.full_after = SIZE_MAX;
    send_numbers(world, sender, 7, 7, 1);
    world.resume(device);
    EXPECT_EQ(device.payloads(), numbers(4, 7)) << "in order";
    for (const Delivery& delivery : device.got) EXPECT_FALSE(delivery.dup);
  });
}

TEST(Delivery, CongestedWhileMessagesAreSentAgain) {
  in_many_worlds([](World& world) {
    TestClient& sender = world.connected_operator(world.pick(3));
    TestClient& first = world.connected("dev1");
    world.subscribed(first, {{kGetTopic, 1}});
    send_numbers(world, sender, 1, 4, 1);
    world.disconnect(first);
    TestClient& second = world.connect("dev1");
    second.full_after = 2;
    world.settle();
    EXPECT_EQ(second.payloads(), numbers(1, 2));
    send_numbers(world, sender, 5, 5, 1);
    EXPECT_EQ(second.payloads(), numbers(1, 2)) << "nothing overtakes";
    second.full_after = SIZE_MAX;
    world.resume(second);
    ASSERT_EQ(second.payloads(), numbers(1, 5));
    EXPECT_TRUE(second.got[3].dup);
    EXPECT_FALSE(second.got[4].dup);
  });
}

TEST(Delivery, OrderAndExactlyOnceAcrossLoops) {
  in_many_worlds([](World& world) {
    TestClient& device = world.connected("dev1");
    TestClient& other = world.connected("dev2");
    std::vector<TestClient*> listeners;
    for (std::size_t i = 0; i < 6; ++i) {
      listeners.push_back(&world.connected_operator(i % 3, {{"/pk/+/user/update", 1}, {"/pk/dev1/#", 1}}));
    }
    for (int i = 1; i <= 60; ++i) {
      world.publish(device, kUpdateTopic, std::to_string(i), 1);
      world.publish(other, "/pk/dev2/user/update", std::to_string(i), static_cast<std::uint8_t>(i % 2));
      world.run(world.pick(5));
    }
    world.settle();
    for (const TestClient* listener : listeners) {
      EXPECT_EQ(listener->payloads(kUpdateTopic), numbers(1, 60));
      EXPECT_EQ(listener->payloads("/pk/dev2/"), numbers(1, 60));
    }
    EXPECT_EQ(device.pubacks.size(), 60U);
    EXPECT_EQ(other.pubacks.size(), 30U);
  });
}

TEST(Delivery, OwnPublishComesBackOnlyWhereItMaySubscribe) {
  in_many_worlds([](World& world) {
    TestClient& device = world.connected("dev1");
    world.subscribed(device, {{"/pk/dev1/user/#", 1}});
    world.publish(device, kUpdateTopic, "report", 1);
    world.settle();
    EXPECT_THAT(device.got, IsEmpty());
    world.publish(device, "/pk/dev1/user/both", "echo", 1);
    world.settle();
    EXPECT_THAT(device.payloads(), ElementsAre("echo"));
  });
}

TEST(Delivery, OperatorsHearThemselves) {
  in_many_worlds([](World& world) {
    TestClient& speaker = world.connected_operator(world.pick(3), {{"talk", 1}});
    world.publish(speaker, "talk", "x", 1);
    world.settle();
    EXPECT_THAT(speaker.payloads(), ElementsAre("x"));
  });
}

TEST(Delivery, RefusedPublishIsAcknowledgedAndGoesNowhere) {
  in_many_worlds([](World& world) {
    TestClient& listener = world.connected_operator(world.pick(3), {{"#", 1}});
    TestClient& device = world.connected("dev1");
    listener.got.clear();
    const auto id = world.publish(device, "/pk/dev2/user/update", "forged", 1);
    world.publish(device, "/pk/dev1/user/" + std::string(200, 'x'), "too long", 1);
    world.publish(device, "/pk/dev2/user/update", "forged", 0);
    world.settle();
    EXPECT_THAT(device.pubacks, ElementsAre(id, id + 1));
    EXPECT_TRUE(device.online());
    EXPECT_THAT(listener.got, IsEmpty());
    EXPECT_EQ(world.home_broker("dev1").counters().refused_publishes, 3U);
  });
}

TEST(Delivery, FindsADeviceFromEveryLoop) {
  in_many_worlds([](World& world) {
    std::vector<TestClient*> senders;
    for (std::size_t loop = 0; loop < world.loop_count(); ++loop) senders.push_back(&world.connected_operator(loop));
    TestClient* device = &world.connected("dev1");
    world.subscribed(*device, {{kGetTopic, 1}, {"/broadcast/pk/#", 1}});
    for (int i = 0; i < 6; ++i) {
      device = &world.connected("dev1");
      device->got.clear();  // what it had not acknowledged
      const std::string text = std::to_string(i);
      TestClient& sender = *senders[static_cast<std::size_t>(i) % senders.size()];
      world.publish(sender, kGetTopic, text, 0);
      world.publish(sender, "/broadcast/pk/x", text, 0);
      world.settle();
      EXPECT_THAT(device->payloads(), ElementsAre(text, text));
    }
  });
}

}  // namespace
}  // namespace mooring::sim
