// Ordinary clients of all versions do what they like, legally; a model that knows nothing of brokers, loops or stores
// says what each of them must get, may get and must not get.
//
// Between its actions the world comes to rest, except in a burst of messages and when it is killed: what was under way
// then may arrive or not, unless its publisher was told that it is safe.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "sim/model_client.h"

namespace mooring::sim {
namespace {

using broker::OfflineReason;
using Fate = ModelClient::Sent::Fate;

std::vector<std::string> levels_of(const std::string& text) {
  std::vector<std::string> out(1);
  for (const char c : text) {
    if (c == '/') {
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
  return out;
}

bool selects(const std::string& filter, const std::string& topic) {
  const auto wanted = levels_of(filter);
  const auto found = levels_of(topic);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == "#") return true;
    if (i >= found.size() || (wanted[i] != "+" && wanted[i] != found[i])) return false;
  }
  return wanted.size() == found.size();
}

const std::vector<std::string> kTopics = {"a", "a/b", "a/c", "a/b/c", "d/b", "d"};
const std::vector<std::string> kFilters = {"#", "a/#", "a/+", "+/b", "a/b", "d", "a/b/c", "+"};

struct Published {
  std::string topic;
  std::uint8_t qos = 0;
  ModelClient* from = nullptr;
  std::size_t index = 0;  // in from->sent
  bool repeated = false;  // its publisher came back without knowing what became of it
  bool is_will = false;

  bool is_safe() const { return qos == 0 || is_will || from->sent[index].fate == Fate::kDone; }
};

struct Party {
  std::unique_ptr<ModelClient> client;
  std::uint32_t expiry_s = 0;
  bool has_session = false;
  bool keeps_now = false;  // its present or last connection left a session behind
  base::WallMs offline_since = 0;
  std::map<std::string, std::uint8_t> filters;
  std::map<std::size_t, std::uint8_t> expected;  // message, QoS
  std::map<std::size_t, int> got;
  std::map<std::size_t, int> got_exactly_once;  // with QoS 2
  std::map<std::size_t, int> replays;           // allowed
  bool replay_open = false;                     // one may still be under way, and sees what is retained meanwhile
  std::optional<std::size_t> will;              // number of the message that it will be
};

class ReferenceRun {
 public:
  explicit ReferenceRun(std::uint64_t seed) : world_(seed, 1 + seed % 4) {
    world_.account_rules.session.max_in_flight = static_cast<std::uint16_t>(2 + seed % 20);
    world_.account_rules.session.max_queued_messages = 1'000'000;
    world_.account_rules.session.max_queued_bytes = 1ULL << 32;
    for (int i = 0; i < 6; ++i) add_party(i);
  }

  void play(int actions) {
    for (int i = 0; i < actions && !testing::Test::HasFailure(); ++i) {
      act();
      rest();
    }
    finish();
  }
  void play_until(base::WallMs end) {
    while (world_.clock.now < end && !testing::Test::HasFailure()) {
      act();
      rest();
      pass(1 + static_cast<std::int64_t>(world_.pick(60)));
    }
    finish();
  }
  base::WallMs now() const { return world_.clock.now; }
  std::size_t checked() const { return checked_; }

 private:
  void add_party(int number) {
    const mqtt::Version versions[] = {mqtt::Version::k31, mqtt::Version::k311, mqtt::Version::k5};
    const mqtt::Version version = versions[number % 3];
    const bool keeps = number < 4;
    Party party;
    party.client = std::make_unique<ModelClient>(world_, "c" + std::to_string(number), version, keeps);
    party.expiry_s = !keeps ? 0 : version == mqtt::Version::k5 ? 1000 : mqtt::kNeverExpires;
    party.client->options.session_expiry_s = party.expiry_s;
    parties_.push_back(std::move(party));
    const std::size_t index = parties_.size() - 1;
    parties_[index].client->on_heard = [this, index](const ModelClient::Heard& heard) { hear(parties_[index], heard); };
  }

  void act() {
    Party& party = parties_[world_.pick(parties_.size())];
    const std::size_t dice = world_.pick(100);
    if (!party.client->online()) {
      if (dice < 50) connect(party);
      return;
    }
    if (dice < 45) {
      burst();
    } else if (dice < 55) {
      subscribe(party);
    } else if (dice < 60) {
      unsubscribe(party);
    } else if (dice < 66) {
      disconnect(party);
    } else if (dice < 69) {
      connect(party);
    } else if (dice < 74) {
      party.client->now->full = true;
    } else if (dice < 84) {
      if (party.client->now->full) world_.resume(*party.client->now);
    } else if (dice < 92) {
      party.client->work(1 + world_.pick(4));
    } else if (dice < 94) {
      kill();
    } else if (dice < 95) {
      restart();
    } else {
      pass(world_.chance(80) ? 100 : 2000);
    }
  }

  // ---- What clients do ----

  void connect(Party& party) {
    const bool clean = world_.chance(15);
    if (party.client->online()) gone_offline(party, true);
    const bool present = party.has_session && !clean && party.client->keeps;
    if (!present) end_session(party);
    party.client->options.will.reset();
    party.will.reset();
    if (world_.chance(40)) {
      session::WillRecord will;
      will.topic = "a/c";
      will.qos = static_cast<std::uint8_t>(world_.pick(3));
      party.will = messages_.size();
      const std::string payload = std::to_string(*party.will);
      will.payload.assign(payload.begin(), payload.end());
      messages_.push_back({will.topic, will.qos, party.client.get(), 0, false, true});
      party.client->options.will = will;
    }
    for (Published& message : messages_) {
      if (message.from != party.client.get() || message.qos == 0 || message.is_will) continue;
      if (party.client->sent[message.index].fate == Fate::kOpen) repeat(message);
    }
    party.client->connect(clean);
    world_.settle();
    ASSERT_TRUE(party.client->online());
    EXPECT_EQ(party.client->now->attached->session_present, present) << party.client->name;
    party.has_session = true;
    party.keeps_now = party.client->keeps && (party.client->version == mqtt::Version::k5 || !clean);
    party.client->work(0);
  }

  // The broker may never have seen it: it meets the subscriptions of now.
  void repeat(Published& message) {
    message.repeated = true;
    const auto number = static_cast<std::size_t>(&message - messages_.data());
    for (Party& each : parties_) each.expected.erase(number);
  }

  void disconnect(Party& party) {
    const bool farewell = world_.chance(50);
    gone_offline(party, !farewell);
    party.client->disconnect(farewell ? OfflineReason::kDeviceDisconnect : OfflineReason::kConnectionReset);
  }

  void gone_offline(Party& party, bool will_is_due) {
    party.offline_since = world_.clock.now;
    party.will.swap(will_);
    const auto will = std::exchange(will_, std::nullopt);
    if (!party.keeps_now) end_session(party);
    if (will && will_is_due) {
      offline_now_ = &party;
      expect(*will);
      offline_now_ = nullptr;
    }
  }

  void end_session(Party& party) {
    party.has_session = false;
    party.filters.clear();
    party.expected.clear();
    party.replays.clear();
    party.got.clear();
    party.got_exactly_once.clear();  // a message that is repeated after a crash meets another session
  }

  void subscribe(Party& party) {
    const std::string filter = kFilters[world_.pick(kFilters.size())];
    const auto qos = static_cast<std::uint8_t>(world_.pick(3));
    for (const auto& [topic, number] : retained_) {
      if (selects(filter, topic)) ++party.replays[number];
    }
    party.filters[filter] = qos;
    party.replay_open = true;
    party.client->subscribe({{filter, qos}});
  }

  void unsubscribe(Party& party) {
    if (party.filters.empty()) return;
    const auto chosen =
        std::next(party.filters.begin(), static_cast<std::ptrdiff_t>(world_.pick(party.filters.size())));
    const std::string filter = chosen->first;
    party.filters.erase(chosen);
    party.client->unsubscribe(filter);
  }

  void burst() {
    std::size_t count = 1 + world_.pick(8);
    while (count-- > 0) {
      ModelClient& client = *parties_[world_.pick(parties_.size())].client;
      if (!client.online() || !client.has_room()) continue;
      publish(client, world_.chance(10));
      if (world_.chance(30)) parties_[world_.pick(parties_.size())].client->work(1);
      world_.run(world_.pick(6));
    }
  }

  void publish(ModelClient& client, bool retain) {
    Published message;
    message.topic = kTopics[world_.pick(kTopics.size())];
    message.qos = static_cast<std::uint8_t>(world_.pick(3));
    message.from = &client;
    message.index = client.sent.size();
    const std::size_t number = messages_.size();
    messages_.push_back(message);
    if (retain) world_.settle();  // two loops have no order among retained messages
    expect(number);
    client.publish(message.topic, std::to_string(number), message.qos, retain);
    if (!retain) return;
    retained_[message.topic] = number;
    for (Party& party : parties_) party.replays[number] += party.replay_open ? 8 : 0;
    world_.settle();
  }

  // ---- What the server goes through ----

  void kill() {
    if (world_.chance(50)) burst();
    world_.kill();
    for (Party& party : parties_) {
      const bool was_online = party.client->now != nullptr;
      party.client->lost();
      if (!was_online) continue;
      const auto will = party.will;
      party.will.reset();
      if (!party.keeps_now) end_session(party);
      party.offline_since = world_.clock.now;
      // Of a stored session it is published when the server is back; to those who have a session then.
      if (will) may_come_.insert(*will);
    }
    for (std::size_t number = 0; number < messages_.size(); ++number) {
      if (messages_[number].qos > 0) continue;
      for (Party& party : parties_) party.expected.erase(number);
    }
    world_.tick();
  }

  void restart() {
    for (Party& party : parties_) {
      if (!party.client->online()) continue;
      gone_offline(party, false);
      may_come_all();
    }
    world_.restart_orderly();
    for (Party& party : parties_) party.client->lost();
  }

  // Some wills are published while others are gone already.
  void may_come_all() {
    for (std::size_t number = 0; number < messages_.size(); ++number) {
      if (messages_[number].is_will) may_come_.insert(number);
    }
  }

  void pass(std::int64_t seconds) {
    const base::WallMs then = world_.clock.now + seconds * 1000;
    for (const Party& party : parties_) {
      if (party.client->now != nullptr || !party.has_session || party.expiry_s == mqtt::kNeverExpires) continue;
      const base::WallMs end = party.offline_since + std::int64_t{party.expiry_s} * 1000;
      if (then > end - 5000 && then < end + 5000) return;  // who could tell
    }
    world_.pass(seconds);
    for (Party& party : parties_) {
      if (party.client->now != nullptr || party.expiry_s == mqtt::kNeverExpires) continue;
      if (party.has_session && then > party.offline_since + std::int64_t{party.expiry_s} * 1000) end_session(party);
    }
  }

  // ---- What must come of it ----

  void expect(std::size_t number) {
    const Published& message = messages_[number];
    for (Party& party : parties_) {
      int qos = -1;
      for (const auto& [filter, granted] : party.filters) {
        if (selects(filter, message.topic)) qos = std::max<int>(qos, std::min(granted, message.qos));
      }
      if (qos < 0 || !party.has_session) continue;
      const bool online = party.client->online() && offline_now_ != &party;
      if (qos == 0 && (!online || party.client->now->full)) continue;
      if (!online && !party.keeps_now) continue;
      party.expected[number] = static_cast<std::uint8_t>(qos);
    }
  }

  void hear(Party& party, const ModelClient::Heard& heard) {
    const std::size_t number = std::stoul(heard.payload);
    ASSERT_LT(number, messages_.size());
    const Published& message = messages_[number];
    const std::string what = party.client->name + ": message " + heard.payload + " on " + heard.topic;
    EXPECT_EQ(heard.topic, message.topic);
    if (heard.retain) {
      int& left = party.replays[number];
      EXPECT_TRUE(left > 0 || heard.qos == 1 || message.repeated) << what << ": nobody asked for this replay";
      if (heard.qos != 1) --left;
      return;
    }
    const auto found = party.expected.find(number);
    const bool free = message.repeated || may_come_.contains(number);
    if (found == party.expected.end()) {
      EXPECT_TRUE(free) << what << " must not come";
    } else {
      EXPECT_TRUE(free || found->second == heard.qos) << what << " has QoS " << int{heard.qos};
    }
    const int times = ++party.got[number];
    EXPECT_TRUE(times == 1 || message.qos != 0) << what << " came twice";
    // Before a crash it may have come with QoS 1, under a subscription that was another one then.
    if (heard.qos == 2) {
      EXPECT_EQ(++party.got_exactly_once[number], 1) << what << " came twice";
    }
  }

  // At rest: what needs no acknowledgement is there.
  void rest() {
    world_.settle();
    for (Party& party : parties_) {
      EXPECT_TRUE(!party.client->online() || !party.client->now->closed);
      for (auto at = party.expected.begin(); at != party.expected.end();) {
        if (at->second > 0) {
          ++at;
          continue;
        }
        if (party.client->online() && !party.client->now->full && !messages_[at->first].repeated) {
          EXPECT_TRUE(party.got.contains(at->first)) << party.client->name << " did not get " << at->first;
        }
        // It stays allowed: a later repetition finds it here no more.
        may_come_.insert(at->first);
        at = party.expected.erase(at);
      }
    }
    if (world_.chance(5)) drain();
  }

  // Everybody who is there reads and answers.
  void drain() {
    for (Party& party : parties_) {
      if (party.client->online() && party.client->now->full) world_.resume(*party.client->now);
    }
    bool any = true;
    for (int round = 0; any && round < 20'000; ++round) {
      world_.settle();
      any = false;
      for (Party& party : parties_) any |= party.client->work();
    }
    EXPECT_FALSE(any) << "no rest";
    for (Party& party : parties_) {
      if (!party.client->online()) continue;
      party.replay_open = false;
      EXPECT_EQ(party.client->open_count(), 0U) << party.client->name << " waits for an answer";
      for (const auto& [number, qos] : party.expected) {
        if (!messages_[number].is_safe() || may_come_.contains(number)) continue;
        ++checked_;
        EXPECT_TRUE(party.got.contains(number)) << party.client->name << " never got message " << number << " on "
                                                << messages_[number].topic << ", QoS " << int{qos};
      }
    }
  }

  void finish() {
    for (Party& party : parties_) {
      if (!party.client->online()) connect(party);
    }
    rest();
    drain();
    EXPECT_EQ(world_.store.queued(), 0U);
  }

  World world_;
  std::vector<Party> parties_;
  std::vector<Published> messages_;
  std::map<std::string, std::size_t> retained_;  // by topic
  std::set<std::size_t> may_come_;
  std::optional<std::size_t> will_;
  const Party* offline_now_ = nullptr;
  std::size_t checked_ = 0;
};

TEST(Reference, RandomClients) {
  std::size_t checked = 0;
  for_each_seed(1000, [&](std::uint64_t seed) {
    ReferenceRun run(seed);
    run.play(250);
    checked += run.checked();
  });
  EXPECT_GT(checked, 1000U) << "the model must have something to expect";
}

TEST(Reference, ADay) {
  for_each_seed(20, [](std::uint64_t seed) {
    ReferenceRun run(seed);
    run.play_until(run.now() + 24LL * 3600 * 1000);
    EXPECT_GT(run.checked(), 1000U);
  });
}

}  // namespace
}  // namespace mooring::sim
