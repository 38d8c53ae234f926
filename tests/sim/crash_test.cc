// The server is killed at any moment, its store fails, connections break: what was acknowledged arrives all the same,
// QoS 2 once, and in order.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sim/model_client.h"

namespace mooring::sim {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Fate = ModelClient::Sent::Fate;

struct Troubles {
  bool kills = false;
  bool failing_store = false;
};

class CrashRun {
 public:
  CrashRun(std::uint64_t seed, Troubles troubles) : world_(seed, 1 + seed % 4), troubles_(troubles) {
    world_.account_rules.session.max_in_flight = static_cast<std::uint16_t>(1 + seed % 7);
    world_.account_rules.session.max_queued_messages = 100'000;
    world_.account_rules.session.max_queued_bytes = 1U << 30;
    const mqtt::Version versions[] = {mqtt::Version::k31, mqtt::Version::k311, mqtt::Version::k5};
    for (int i = 0; i < 3; ++i) {
      publishers_.push_back(
          std::make_unique<ModelClient>(world_, "pub" + std::to_string(i), versions[world_.pick(3)], true));
      subscribers_.push_back(
          std::make_unique<ModelClient>(world_, "sub" + std::to_string(i), versions[world_.pick(3)], true));
    }
    for (auto& each : subscribers_) {
      each->connect();
      world_.settle();
      each->work();
      each->subscribe({{"t/#", 2}});
      world_.settle();
    }
    for (auto& each : publishers_) each->connect();
    world_.settle();
  }

  void play(int actions) {
    for (int i = 0; i < actions && !testing::Test::HasFailure(); ++i) {
      act();
      world_.run(world_.pick(8));
    }
    finish();
    check();
  }

 private:
  void act() {
    const std::size_t dice = world_.pick(100);
    ModelClient& publisher = *publishers_[world_.pick(publishers_.size())];
    ModelClient& any = world_.chance(50) ? publisher : *subscribers_[world_.pick(subscribers_.size())];
    if (dice < 40) {
      if (publisher.online() && publisher.has_room()) {
        publisher.work(0);
        if (publisher.online()) publish(publisher);
      }
    } else if (dice < 75) {
      any.work(1 + world_.pick(3));
    } else if (dice < 82) {
      if (!any.online() && !any.connecting()) any.connect();
    } else if (dice < 86) {
      any.disconnect(world_.chance(50) ? broker::OfflineReason::kDeviceDisconnect
                                       : broker::OfflineReason::kConnectionReset);
    } else if (dice < 90) {
      any.connect();  // a second connection of the same client
    } else if (dice < 94) {
      world_.tick();
    } else if (dice < 97) {
      if (world_.chance(50)) {
        world_.store.hold();
      } else {
        world_.store.go_on();
      }
    } else if (troubles_.kills && dice == 97) {
      kill();
    } else if (troubles_.failing_store && dice >= 98) {
      world_.store.memory.fail_writes(dice == 98);
    }
  }

  void publish(ModelClient& publisher) {
    const auto qos = static_cast<std::uint8_t>(1 + world_.pick(2));
    const std::string topic = "t/" + publisher.name + "/" + std::to_string(qos);
    publisher.publish(topic, std::to_string(next_++), qos);
  }

  void kill() {
    world_.kill();
    for (auto* group : {&publishers_, &subscribers_}) {
      for (auto& each : *group) each->lost();
    }
  }

  void finish() {
    world_.store.go_on();
    world_.store.memory.fail_writes(false);
    bool any = true;
    for (int round = 0; any && round < 3000; ++round) {
      any = false;
      world_.tick();
      world_.settle();
      for (auto* group : {&publishers_, &subscribers_}) {
        for (auto& each : *group) {
          if (!each->online()) {
            each->connect();
            any = true;
          }
          any |= each->work();
        }
      }
    }
    EXPECT_FALSE(any) << "the clients never come to rest";
  }

  void check() {
    for (const auto& subscriber : subscribers_) {
      std::map<std::string, int> count;
      std::map<std::string, int> newest;  // by topic: each is one publisher at one QoS
      for (const ModelClient::Heard& heard : subscriber->heard) {
        const int number = std::stoi(heard.payload);
        const bool first = count[heard.payload]++ == 0;
        EXPECT_EQ(heard.qos, heard.topic.back() - '0');
        EXPECT_TRUE(first || heard.qos != 2) << subscriber->name << " got " << number << " of QoS 2 twice";
        if (!first) continue;
        int& last = newest.try_emplace(heard.topic, -1).first->second;
        // What the store refused is published again, behind what it took.
        EXPECT_TRUE(troubles_.failing_store || last < number) << subscriber->name << ": order of " << heard.topic;
        last = std::max(last, number);
      }
      for (const auto& publisher : publishers_) {
        EXPECT_EQ(publisher->open_count(), 0U) << publisher->name << " waits for an answer";
        for (const ModelClient::Sent& sent : publisher->sent) {
          if (sent.fate == Fate::kDone) {
            ++acknowledged;
            EXPECT_TRUE(count.contains(sent.payload))
                << subscriber->name << " never got " << sent.payload << " of " << sent.topic << ", version "
                << static_cast<int>(subscriber->version);
          }
          EXPECT_FALSE(sent.qos == 2 && sent.fate == Fate::kRefused && count.contains(sent.payload));
        }
      }
    }
    // A removal that the store refused is not tried again: what was done with may come once more after a restart.
    EXPECT_TRUE(troubles_.failing_store || world_.store.queued() == 0);
  }

  World world_;
  const Troubles troubles_;
  std::vector<std::unique_ptr<ModelClient>> publishers_;
  std::vector<std::unique_ptr<ModelClient>> subscribers_;
  int next_ = 0;

 public:
  std::size_t acknowledged = 0;
};

void play_crashes(std::uint64_t seeds, Troubles troubles) {
  std::size_t acknowledged = 0;
  for_each_seed(seeds, [&](std::uint64_t seed) {
    CrashRun run(seed, troubles);
    run.play(400);
    acknowledged += run.acknowledged;
  });
  EXPECT_GT(acknowledged, 100U);
}

TEST(Crash, ConnectionsBreak) {
  play_crashes(100, {});
}
TEST(Crash, KilledAtAnyMoment) {
  play_crashes(500, {.kills = true});
}
TEST(Crash, TheStoreFailsNowAndThen) {
  play_crashes(100, {.failing_store = true});
}
TEST(Crash, TheStoreFailsAndTheServerIsKilled) {
  play_crashes(300, {.kills = true, .failing_store = true});
}

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

TEST(Crash, AClockThatWasSetBackHidesNoMessage) {
  in_many_worlds([](World& world) {
    TestClient& device = world.connected("dev1");
    world.subscribed(device, {{"/pk/dev1/user/get", 1}});
    world.disconnect(device);
    world.settle();
    const base::WallMs once = world.clock.now;
    world.clock.now += 3'600'000;
    world.kill();
    TestClient& sender = world.connected_operator(world.pick(3));
    world.publish(sender, "/pk/dev1/user/get", "kept", 1);
    world.settle();
    EXPECT_THAT(sender.pubacks, testing::SizeIs(1));
    world.clock.now = once;
    world.kill();
    EXPECT_THAT(world.connected("dev1").payloads(), ElementsAre("kept"));
  });
}

TEST(StoreFailure, IsToldToVersionFive) {
  in_many_worlds([](World& world) {
    TestClient& subscriber = world.connected_account("sub", lasting());
    world.subscribed(subscriber, {{"t", 2}});
    world.disconnect(subscriber);
    TestClient& other = world.connected_account("other");
    world.subscribed(other, {{"u", 1}});
    TestClient& publisher = world.connected_account("pub", v5());
    world.settle();
    world.store.memory.fail_writes(true);
    world.publish(publisher, "t", "1", 1);
    world.publish(publisher, "t", "2", 2);
    world.publish(publisher, "u", "3", 1);
    world.settle();
    ASSERT_EQ(publisher.acks.size(), 3U);
    EXPECT_EQ(publisher.acks[0].reason, mqtt::ReasonCode::kQuotaExceeded);
    EXPECT_EQ(publisher.acks[1].reason, mqtt::ReasonCode::kQuotaExceeded);
    EXPECT_EQ(publisher.acks[2].reason, mqtt::ReasonCode::kSuccess);
    EXPECT_THAT(other.payloads(), ElementsAre("3")) << "what needs no store goes on";
    world.store.memory.fail_writes(false);
    world.publish(publisher, "t", "4", 1);
    world.settle();
    EXPECT_EQ(publisher.acks.back().reason, mqtt::ReasonCode::kSuccess);
    EXPECT_THAT(world.connected_account("sub", lasting()).payloads(), ElementsAre("4"));
  });
}

TEST(StoreFailure, ClosesTheConnectionOfAnOlderVersion) {
  in_many_worlds([](World& world) {
    TestClient& subscriber = world.connected_account("sub", lasting());
    world.subscribed(subscriber, {{"t", 2}});
    world.disconnect(subscriber);
    TestClient& publisher = world.connected_account("pub", lasting());
    world.settle();
    world.store.memory.fail_writes(true);
    const auto qos = static_cast<std::uint8_t>(1 + world.pick(2));
    const auto first = world.publish(publisher, "t", "1", qos);
    const auto second = world.publish(publisher, "nobody", "2", qos);
    world.settle();
    EXPECT_EQ(publisher.closed, broker::CloseCause::kStoreFailed);
    EXPECT_THAT(publisher.acks, IsEmpty()) << "not even the later one";
    world.store.memory.fail_writes(false);
    TestClient& again = world.connected_account("pub", lasting());
    world.repeat(again, "t", "1", qos, first);
    world.repeat(again, "nobody", "2", qos, second);
    world.settle();
    EXPECT_EQ(again.acks.size(), 2U);
    EXPECT_THAT(world.connected_account("sub", lasting()).payloads(), ElementsAre("1"));
  });
}

}  // namespace
}  // namespace mooring::sim
