// Devices that speak over another client's connection, as the broker of that connection sees them (docs/adr/0018).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/world.h"

namespace mooring::sim {
namespace {

using mqtt::ReasonCode;
using testing::ElementsAre;
using testing::IsEmpty;

// Speaks for the devices "kid1" to "kid9". Answers when it is told to.
class Kids final : public broker::Dependents {
 public:
  struct Log {
    std::vector<std::string> published;
    std::vector<std::uint64_t> acks;
    std::vector<std::string> subscribed;
    std::vector<Answered> waiting;
    std::vector<std::uint16_t> acknowledged;
    std::uint16_t relayed = 0;  // identifier of a message of theirs
    int resumed = 0;
    int ended = 0;
  };
  explicit Kids(Log& log) : log_(log) {}

  Number owner_of(std::string_view topic) const override {
    constexpr std::string_view kBegin = "/pk/kid";
    if (!topic.starts_with(kBegin) || topic.size() < kBegin.size() + 2) return kNobody;
    return static_cast<Number>(topic[kBegin.size()] - '0');
  }
  void publish(Number child, const mqtt::Publish& packet, std::uint64_t ack) override {
    log_.published.push_back(std::to_string(child) + " " + std::string(base::as_text(packet.payload)));
    log_.acks.push_back(ack);
  }
  void subscribe(Number child, std::span<const mqtt::SubscribeEntry> entries, std::uint32_t,
                 Answered answered) override {
    for (const auto& entry : entries) {
      log_.subscribed.push_back(std::to_string(child) + " " + std::string(entry.filter));
    }
    log_.waiting.push_back(std::move(answered));
  }
  void unsubscribe(Number child, std::span<const std::string_view> filters, Answered answered) override {
    for (const auto& filter : filters) log_.subscribed.push_back(std::to_string(child) + " -" + std::string(filter));
    log_.waiting.push_back(std::move(answered));
  }
  bool acknowledged(const mqtt::Ack& packet) override {
    if (packet.packet_id != log_.relayed) return false;
    log_.acknowledged.push_back(packet.packet_id);
    return true;
  }
  void resume() override { ++log_.resumed; }
  void end() override { ++log_.ended; }

 private:
  Log& log_;
};

struct Scene {
  explicit Scene(World& in) : world(in), gateway(in.connected("dev1")) {
    home().set_dependents(*gateway.client, std::make_unique<Kids>(log));
  }
  broker::Broker& home() { return world.home_broker("dev1"); }
  void answer(std::initializer_list<ReasonCode> codes) {
    auto answered = std::move(log.waiting.front());
    log.waiting.erase(log.waiting.begin());
    home();  // its turn begins
    answered(std::vector<ReasonCode>(codes));
  }

  World& world;
  TestClient& gateway;
  Kids::Log log;
};

TEST(Dependents, WhatTheyPublishIsTheirsAlone) {
  in_many_worlds([](World& world) {
    Scene scene(world);
    TestClient& watcher = world.connected_account("watcher");
    world.subscribed(watcher, {{"#", 1}});
    world.publish(scene.gateway, device_topic("kid2", "update"), "of a child", 0);
    world.publish(scene.gateway, device_topic("dev1", "update"), "its own", 0);
    world.publish(scene.gateway, device_topic("dev2", "update"), "of another device", 0);
    world.settle();
    EXPECT_THAT(scene.log.published, ElementsAre("2 of a child"));
    EXPECT_THAT(scene.log.acks, ElementsAre(0));
    EXPECT_THAT(watcher.payloads("/pk/"), ElementsAre("its own"));
    EXPECT_THAT(world.requests.foreign, ElementsAre("dev1 dev2"));
  });
}

TEST(Dependents, AcknowledgementsKeepTheOrderOfTheConnection) {
  in_many_worlds([](World& world) {
    Scene scene(world);
    const auto first = world.publish(scene.gateway, device_topic("kid1", "update"), "a", 1);
    const auto second = world.publish(scene.gateway, device_topic("dev1", "update"), "b", 1);
    const auto third = world.publish(scene.gateway, device_topic("kid2", "update"), "c", 1);
    const auto fourth = world.publish(scene.gateway, device_topic("dev1", "update"), "d", 1);
    world.settle();
    EXPECT_THAT(scene.gateway.pubacks, IsEmpty()) << "the first is a child's, and not answered";
    scene.home().answer(*scene.gateway.client, scene.log.acks[0], ReasonCode::kSuccess);
    world.settle();
    EXPECT_THAT(scene.gateway.pubacks, ElementsAre(first, second));
    scene.home().answer(*scene.gateway.client, scene.log.acks[1], std::nullopt);
    world.settle();
    EXPECT_THAT(scene.gateway.pubacks, ElementsAre(first, second, fourth)) << "nobody waits for " << third;
  });
}

TEST(Dependents, ASubackTellsOfAllInThePlacesOfTheirFilters) {
  in_many_worlds([](World& world) {
    Scene scene(world);
    const auto id = world.subscribe(scene.gateway, {{device_topic("kid1", "a"), 1},
                                                    {device_topic("dev1", "get"), 1},
                                                    {device_topic("kid2", "b"), 1},
                                                    {device_topic("kid1", "c"), 0},
                                                    {device_topic("dev2", "get"), 1}});
    world.settle();
    EXPECT_THAT(scene.log.subscribed, ElementsAre("1 /pk/kid1/user/a", "1 /pk/kid1/user/c", "2 /pk/kid2/user/b"));
    EXPECT_THAT(scene.gateway.codes(id), IsEmpty());
    scene.answer({ReasonCode::kGrantedQos1, ReasonCode::kNotAuthorized});
    world.settle();
    EXPECT_THAT(scene.gateway.codes(id), IsEmpty());
    scene.answer({ReasonCode::kQuotaExceeded});
    world.settle();
    EXPECT_THAT(scene.gateway.codes(id), ElementsAre(1, 1, 0x80, 0x80, 0x80));
    world.publish(world.connected_operator(0), device_topic("dev1", "get"), "x", 0);
    world.settle();
    EXPECT_THAT(scene.gateway.payloads(), ElementsAre("x"));
  });
}

TEST(Dependents, TheirFiltersCountForTheBoundOfOnePacket) {
  in_many_worlds([](World& world) {
    Scene scene(world);
    World::Filters filters;
    for (int i = 0; i < 9; ++i) filters.emplace_back(device_topic("kid1", std::to_string(i)), 1);
    const auto id = world.subscribe(scene.gateway, filters);
    world.settle();
    EXPECT_EQ(scene.log.subscribed.size(), 8U);
    scene.answer(std::initializer_list<ReasonCode>{ReasonCode::kSuccess, ReasonCode::kSuccess, ReasonCode::kSuccess,
                                                   ReasonCode::kSuccess, ReasonCode::kSuccess, ReasonCode::kSuccess,
                                                   ReasonCode::kSuccess, ReasonCode::kSuccess});
    world.settle();
    EXPECT_THAT(scene.gateway.codes(id), ElementsAre(0, 0, 0, 0, 0, 0, 0, 0, 0x80));
  });
}

TEST(Dependents, AnUnsubackWaitsForThemAsWell) {
  in_many_worlds([](World& world) {
    Scene scene(world);
    world.unsubscribe(scene.gateway, device_topic("kid3", "a"));
    world.settle();
    EXPECT_THAT(scene.log.subscribed, ElementsAre("3 -/pk/kid3/user/a"));
    EXPECT_THAT(scene.gateway.unsubacks, IsEmpty());
    scene.answer({ReasonCode::kSuccess});
    world.settle();
    EXPECT_EQ(scene.gateway.unsubacks.size(), 1U);
  });
}

TEST(Dependents, AnAnswerThatComesTooLateHarmsNobody) {
  in_many_worlds([](World& world) {
    Scene scene(world);
    world.subscribe(scene.gateway, {{device_topic("kid1", "a"), 1}});
    world.publish(scene.gateway, device_topic("kid1", "update"), "a", 1);
    world.settle();
    world.disconnect(scene.gateway);
    world.settle();
    EXPECT_EQ(scene.log.ended, 1);
    scene.answer({ReasonCode::kGrantedQos1});
    scene.home().answer(*scene.gateway.client, scene.log.acks[0], ReasonCode::kSuccess);
    EXPECT_EQ(scene.home().lend_packet_id(*scene.gateway.client), std::nullopt);
    world.settle();
    EXPECT_THAT(scene.gateway.pubacks, IsEmpty());
  });
}

TEST(Dependents, PacketIdentifiersAreLentWithinBounds) {
  in_many_worlds([](World& world) {
    Scene scene(world);
    std::set<std::uint16_t> lent;
    while (const auto id = scene.home().lend_packet_id(*scene.gateway.client)) lent.insert(*id);
    EXPECT_EQ(lent.size(), scene.home().lendable_packet_ids(*scene.gateway.client));
    EXPECT_FALSE(lent.contains(0));
    scene.home().return_packet_id(*scene.gateway.client, *lent.begin());
    EXPECT_NE(scene.home().lend_packet_id(*scene.gateway.client), std::nullopt);
  });
}

TEST(Dependents, APubackOfTheirsIsNotTheClientsOwn) {
  in_many_worlds([](World& world) {
    Scene scene(world);
    world.subscribed(scene.gateway, {{device_topic("dev1", "get"), 1}});
    scene.log.relayed = *scene.home().lend_packet_id(*scene.gateway.client);
    world.publish(world.connected_operator(0), device_topic("dev1", "get"), "x", 1);
    world.settle();
    ASSERT_EQ(scene.gateway.got.size(), 1U);
    EXPECT_NE(scene.gateway.got[0].packet_id, scene.log.relayed);
    world.acknowledge(scene.gateway, scene.log.relayed);
    world.settle();
    EXPECT_THAT(scene.log.acknowledged, ElementsAre(scene.log.relayed));
    EXPECT_EQ(scene.home().describe_device(device_key("dev1"), 0)->in_flight, 1U) << "its own is still to come";
    const int before = scene.log.resumed;
    world.resume(scene.gateway);
    EXPECT_EQ(scene.log.resumed, before + 1);
  });
}

}  // namespace
}  // namespace mooring::sim
