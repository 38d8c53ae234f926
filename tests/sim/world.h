// A world of brokers without threads: each loop has a queue of tasks, and a seed decides whose task runs next and when
// a loop ends its turn (that is when the bus is flushed). Clients are played by TestClient. One thread.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "broker/broker.h"
#include "cluster/local_bus.h"
#include "cluster/local_directory.h"
#include "storage/memory_session_store.h"

namespace mooring::sim {

class SimLoop final : public base::Executor {
 public:
  void post(base::Task task) override { tasks.push_back(std::move(task)); }

  std::deque<base::Task> tasks;
  bool in_turn = false;  // something ran since the bus was flushed
};

class VirtualClock final : public base::Clock {
 public:
  base::MonoMs mono_ms() const override { return now - kStart; }
  base::WallMs wall_ms() const override { return now; }

  static constexpr base::WallMs kStart = 1'700'000'000'000;
  base::WallMs now = kStart;
};

// The store of the simulation; can hold calls back until it is told to go on. Held calls keep their order.
class HeldStore final : public session::SessionStore {
 public:
  void load(session::SessionKey key, base::Executor& reply_to,
            session::Callback<base::Result<std::optional<session::SessionRecord>>> done) override;
  void save(session::SessionRecord record, session::Epoch epoch, base::Executor& reply_to,
            session::Callback<base::Result<>> done) override;
  void erase(session::SessionKey key, session::Epoch epoch, base::Executor& reply_to,
             session::Callback<base::Result<>> done) override;

  void hold() { holding_ = true; }
  void go_on();
  std::size_t held_count() const { return held_.size(); }

  storage::MemorySessionStore memory;
  std::size_t saves = 0;

 private:
  void pass(base::Task call);

  bool holding_ = false;
  std::deque<base::Task> held_;
};

struct Delivery {
  std::string topic;
  std::string payload;
  std::uint8_t qos = 0;
  bool dup = false;
  std::uint16_t packet_id = 0;
};

// A client with the connection and the permissions it would have: writes down what it is sent. A device may use its own
// trees "/pk/dn/" and "/sys/pk/dn/" and listen to "/broadcast/pk/"; topics that end in "/update" are for publishing
// only, those that end in "/get" for listening only.
class TestClient final : public broker::ClientSink, public broker::Authorizer {
 public:
  TestClient(std::size_t home_loop, broker::ClientInfo info, session::SessionKey key)
      : loop(home_loop), client(std::make_shared<broker::Client>(std::move(info), std::move(key), *this, *this)) {}

  // ClientSink
  void send_publish(const mqtt::MessageRef& message, std::uint8_t qos, bool dup, std::uint16_t packet_id) override;
  void send_puback(std::uint16_t packet_id) override;
  void send_suback(std::uint16_t packet_id, std::span<const std::uint8_t> codes) override;
  void send_unsuback(std::uint16_t packet_id) override;
  bool congested() const override { return full || got.size() >= full_after; }
  void close(broker::CloseCause cause) override;

  // Authorizer
  Verdict may_publish(std::string_view topic) const override;
  Verdict may_subscribe(std::string_view filter) const override;

  bool online() const { return attached.has_value() && !closed && !left; }
  bool waiting() const { return !attached && !refused && !closed && !left; }
  std::vector<std::string> payloads(std::string_view topic_prefix = "") const;
  std::vector<int> codes(std::uint16_t packet_id) const;  // of the SUBACK; empty when there was none

  const std::size_t loop;
  const std::shared_ptr<broker::Client> client;
  std::function<void(const Delivery&)> on_delivery;
  std::vector<Delivery> got;
  std::vector<std::uint16_t> pubacks;
  std::vector<std::pair<std::uint16_t, std::vector<int>>> subacks;
  std::vector<std::uint16_t> unsubacks;
  std::vector<std::string> order;  // kinds of packets in the order sent, "connack" and "close" with them
  std::optional<broker::AttachResult> attached;
  std::optional<broker::AttachError> refused;
  std::optional<broker::CloseCause> closed;
  bool left = false;  // ended its connection itself
  bool full = false;  // does not read
  std::size_t full_after = SIZE_MAX;
  std::uint16_t last_packet_id = 0;

 private:
  void note(std::string what);
  bool is_own(std::string_view topic) const;
};

// Writes down who came and went, over all loops; no device may come twice or go without having come.
class PresenceLog final : public broker::PresenceListener {
 public:
  void on_online(const broker::Client& client, base::WallMs at_ms) override;
  void on_offline(const broker::Client& client, base::WallMs at_ms, broker::OfflineReason reason) override;

  std::vector<std::string> events;  // "dev1 online", "dev1 offline: <reason>"
  std::map<std::string, bool> is_online;
};

struct DeviceOptions {
  bool clean_session = false;
  bool wants_notify = false;
  const broker::ClientRules* rules = nullptr;  // null: those of the world
};

inline const std::string kProduct = "pk";
std::string device_topic(const std::string& name, const std::string& rest);  // /pk/<name>/user/<rest>
base::DeviceKey device_key(const std::string& name);
session::SessionKey session_key(const std::string& name);

class World {
 public:
  explicit World(std::uint64_t seed, std::size_t loop_count = 3);
  ~World();

  // Time for the loops. settle() ends when nobody has anything to do.
  bool step();
  void settle();
  void run(std::size_t steps);
  std::size_t pick(std::size_t count) { return static_cast<std::size_t>(random_() % count); }
  bool chance(unsigned percent) { return random_() % 100 < percent; }

  // Of clients; the loops do not run meanwhile.
  TestClient& connect(const std::string& name, std::size_t loop, const DeviceOptions& options = {});
  TestClient& connect_operator(std::size_t loop);
  void disconnect(TestClient& who, broker::OfflineReason reason = broker::OfflineReason::kDeviceDisconnect);
  using Filters = std::vector<std::pair<std::string, std::uint8_t>>;
  std::uint16_t subscribe(TestClient& who, const Filters& filters);
  std::uint16_t unsubscribe(TestClient& who, const std::string& filter);
  std::uint16_t publish(TestClient& who, const std::string& topic, const std::string& payload, std::uint8_t qos);
  void acknowledge(TestClient& who, std::uint16_t packet_id);
  void resume(TestClient& who);

  // The same, and then the loops run until nothing is left to do.
  TestClient& connected(const std::string& name, std::size_t loop, const DeviceOptions& options = {});
  TestClient& connected_operator(std::size_t loop, const Filters& filters = {});
  void subscribed(TestClient& who, const Filters& filters);

  broker::Broker& broker(std::size_t loop);  // for a call on that loop: its turn begins
  std::size_t session_count() const;
  std::size_t connections_of(const std::string& name) const;
  std::size_t loop_count() const { return loops_.size(); }

  VirtualClock clock;
  broker::ClientRules rules;           // of devices
  broker::ClientRules operator_rules;  // as the local listener has them
  HeldStore store;
  PresenceLog presence;

 private:
  TestClient& attach(std::size_t loop, broker::ClientInfo info, session::SessionKey key);

  std::mt19937_64 random_;
  std::vector<std::unique_ptr<SimLoop>> loops_;

 public:
  cluster::LocalDirectory directory;

 private:
  cluster::LocalCluster cluster_;
  std::vector<std::unique_ptr<broker::Broker>> brokers_;
  std::vector<std::unique_ptr<TestClient>> clients_;
  std::size_t operators_ = 0;
};

// Plays `history` for seeds 1..count and stops at the first that fails; MOORING_SIM_SEED=<n> plays that one alone.
void for_each_seed(std::uint64_t count, const std::function<void(std::uint64_t seed)>& history);
void in_many_worlds(const std::function<void(World&)>& history);  // 25 seeds, three loops

}  // namespace mooring::sim
