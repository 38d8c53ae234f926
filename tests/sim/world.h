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
#include "routing/retained_messages.h"
#include "storage/memory_session_store.h"

namespace mooring::sim {

class SimLoop final : public base::Executor {
 public:
  ~SimLoop() override { drop(); }
  // Tasks that go without having run may post others.
  void drop() {
    while (!tasks.empty()) tasks.pop_front();
  }
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
  explicit HeldStore(const base::Clock& clock) : memory({&clock, false}) {}

  base::Result<> for_each_session(const std::function<void(session::SessionRecord&&, session::Epoch)>& each) override {
    return memory.for_each_session(each);
  }
  base::Result<> for_each_received(
      const std::function<void(session::SessionNumber, std::uint16_t packet_id)>& each) override {
    return memory.for_each_received(each);
  }
  base::Result<> for_each_retained(const std::function<void(const mqtt::MessageRef&)>& each) override {
    return memory.for_each_retained(each);
  }
  void save(session::SessionRecord record, session::Epoch epoch, base::Executor& reply_to, Done done) override;
  void erase(session::SessionKey key, session::SessionNumber number, session::Epoch epoch, base::Executor& reply_to,
             Done done) override;
  void append(session::QueueItemRef item, base::Executor& reply_to, session::AppendListener& listener) override;
  void write(std::vector<session::StoreOperation> operations, base::Executor& reply_to, Done done) override;
  void remove(session::SessionNumber session, std::uint64_t sequence) override;
  void drop_queue(session::SessionNumber session) override;
  void read(session::SessionNumber session, std::uint64_t from_sequence, std::size_t max_messages,
            std::size_t max_bytes, base::Executor& reply_to, session::Callback<base::Result<Page>> done) override;
  void measure(session::SessionNumber session, base::Executor& reply_to,
               session::Callback<base::Result<session::QueueSize>> done) override;
  void save_retained(const mqtt::MessageRef& message, bool removed, base::Executor& reply_to, Done done) override;

  void hold() { holding_ = true; }
  void go_on();
  void drop_held() { held_.clear(), holding_ = false; }
  std::size_t held_count() const { return held_.size(); }
  // Messages of all sessions, when what was given to the store has been done.
  std::size_t queued() {
    memory.commit();
    return memory.queued_messages();
  }

  storage::MemorySessionStore memory;
  std::size_t saves = 0;
  std::size_t appends = 0;

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
  bool retain = false;
  std::uint16_t packet_id = 0;
  std::vector<std::uint32_t> subscription_ids;
};

// PUBACK, PUBREC, PUBREL or PUBCOMP from the server.
struct SentAck {
  mqtt::PacketType type = mqtt::PacketType::kPuback;
  std::uint16_t packet_id = 0;
  mqtt::ReasonCode reason = mqtt::ReasonCode::kSuccess;
};

// A client with the connection and the permissions it would have: writes down what it is sent. A device may use its own
// trees "/pk/dn/" and "/sys/pk/dn/" and listen to "/broadcast/pk/"; topics that end in "/update" are for publishing
// only, those that end in "/get" for listening only. An account may do everything except with "secret/".
class TestClient final : public broker::ClientSink, public broker::Authorizer {
 public:
  TestClient(std::size_t home_loop, const broker::ClientInfo& info, const session::SessionKey& key)
      : loop(home_loop), client(std::make_shared<broker::Client>(info, key, *this, *this)) {}

  // ClientSink
  void send_publish(const broker::PublishOut& packet) override;
  void send_ack(mqtt::PacketType type, std::uint16_t packet_id, mqtt::ReasonCode reason) override;
  void send_suback(std::uint16_t packet_id, std::span<const mqtt::ReasonCode> codes) override;
  void send_unsuback(std::uint16_t packet_id, std::span<const mqtt::ReasonCode> codes) override;
  bool fits(const broker::PublishOut& packet) const override { return packet.message->payload().size() <= max_payload; }
  bool congested() const override { return full || got.size() >= full_after; }
  void pause_input() override { paused = true; }
  void resume_input() override { paused = false; }
  void close(broker::CloseCause cause) override;

  // Authorizer
  Verdict may_publish(std::string_view topic) const override;
  Verdict may_subscribe(std::string_view filter) const override;
  std::uint64_t revision() const override { return 0; }

  bool online() const { return attached.has_value() && !closed && !left; }
  bool waiting() const { return !attached && !refused && !closed && !left; }
  std::vector<std::string> payloads(std::string_view topic_prefix = "") const;
  std::vector<int> codes(std::uint16_t packet_id) const;  // of the SUBACK; empty when there was none

  const std::size_t loop;
  const std::shared_ptr<broker::Client> client;
  std::function<void(const Delivery&)> on_delivery;
  std::function<void(const SentAck&)> on_ack;
  std::vector<Delivery> got;
  std::vector<std::uint16_t> pubacks;
  std::vector<SentAck> acks;  // all four kinds
  std::vector<std::pair<std::uint16_t, std::vector<int>>> subacks;
  std::vector<std::uint16_t> unsubacks;
  std::vector<std::string> order;  // kinds of packets in the order sent, "connack" and "close" with them
  std::optional<broker::AttachResult> attached;
  std::optional<broker::AttachError> refused;
  std::optional<broker::CloseCause> closed;
  bool left = false;  // ended its connection itself
  bool full = false;  // does not read
  std::size_t full_after = SIZE_MAX;
  std::size_t max_payload = SIZE_MAX;
  bool paused = false;
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
  void on_incident(const base::DeviceKey& device, const broker::Client* client,
                   const broker::Incident& incident) override;

  std::vector<std::string> events;                 // "dev1 online", "dev1 offline: <reason>"
  std::map<std::string, std::uint64_t> incidents;  // how many: "dev1 publish-rate"
  std::uint64_t reports = 0;                       // of them
  std::map<std::string, bool> is_online;
};

// A built-in service: takes what devices publish to topics that end in "/ask".
class RequestLog final : public broker::RequestPort {
 public:
  broker::RequestKind kind_of(std::string_view topic) const override {
    return topic.ends_with("/ask") ? 7 : broker::kNoRequest;
  }
  void on_request(broker::Client& client, broker::RequestKind kind, const mqtt::Publish& packet) override {
    requests.push_back(std::string(client.device().device_name) + " " + std::to_string(kind) + " " +
                       std::string(base::as_text(packet.payload)));
  }
  void on_foreign_topic(broker::Client& client, const base::DeviceKeyView& owner) override {
    foreign.push_back(std::string(client.device().device_name) + " " + std::string(owner.device_name));
  }

  std::vector<std::string> requests;  // "dev1 7 payload"
  std::vector<std::string> foreign;   // "dev1 dev2": who used whose topic
};

struct DeviceOptions {
  mqtt::Version version = mqtt::Version::k311;
  bool clean_session = false;
  bool wants_notify = false;
  bool auto_subscribe = false;
  bool custom_rrpc = false;
  std::uint16_t receive_maximum = 0;
  std::uint64_t arrival = 0;                   // 0: now
  const broker::ClientRules* rules = nullptr;  // null: those of the world
};

// An ordinary MQTT client.
struct AccountOptions {
  mqtt::Version version = mqtt::Version::k311;
  bool clean_session = true;
  std::uint32_t session_expiry_s = 0;
  std::uint16_t receive_maximum = 0;
  std::optional<session::WillRecord> will;
  const broker::ClientRules* rules = nullptr;  // null: those of the world
};

// Options of a subscription (MQTT 5 section 3.8.3.1).
inline constexpr std::uint8_t kNoLocal = 0x04;
inline constexpr std::uint8_t kRetainAsPublished = 0x08;
inline constexpr std::uint8_t kRetainIfNew = 0x10;
inline constexpr std::uint8_t kRetainNever = 0x20;

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
  TestClient& connect(const std::string& name, const DeviceOptions& options = {});  // on its home loop
  TestClient& connect_account(const std::string& client_id, const AccountOptions& options = {});
  TestClient& connect_operator(std::size_t loop);
  void disconnect(TestClient& who, broker::OfflineReason reason = broker::OfflineReason::kDeviceDisconnect);
  // Each with its options byte of MQTT 5: the QoS, and what of kNoLocal and the others is wanted.
  using Filters = std::vector<std::pair<std::string, std::uint8_t>>;
  std::uint16_t subscribe(TestClient& who, const Filters& filters, std::uint32_t subscription_id = 0);
  std::uint16_t unsubscribe(TestClient& who, const std::string& filter);
  std::uint16_t publish(TestClient& who, const std::string& topic, const std::string& payload, std::uint8_t qos,
                        bool retain = false, std::optional<std::uint32_t> message_expiry_s = {});
  void repeat(TestClient& who, const std::string& topic, const std::string& payload, std::uint8_t qos,
              std::uint16_t packet_id);                        // with DUP
  void acknowledge(TestClient& who, std::uint16_t packet_id);  // PUBACK
  void pubrec(TestClient& who, std::uint16_t packet_id);
  void pubrel(TestClient& who, std::uint16_t packet_id);
  void pubcomp(TestClient& who, std::uint16_t packet_id);
  void resume(TestClient& who);

  // The same, and then the loops run until nothing is left to do.
  TestClient& connected(const std::string& name, const DeviceOptions& options = {});
  TestClient& connected_account(const std::string& client_id, const AccountOptions& options = {});
  TestClient& connected_operator(std::size_t loop, const Filters& filters = {});
  void subscribed(TestClient& who, const Filters& filters);

  broker::Broker& broker(std::size_t loop);  // for a call on that loop: its turn begins
  base::Executor& executor(std::size_t loop);
  std::size_t home_of(const std::string& device) const;             // the loop on which this device's session lives
  std::string name_at_home_on(std::size_t loop, int number) const;  // of the number'th device, from 0, whose home it is
  broker::Broker& home_broker(const std::string& device) { return broker(home_of(device)); }
  void tick();                      // all loops
  void pass(std::int64_t seconds);  // time goes by, with a tick at its end, until nothing is left to do

  // The process ends and begins anew: connections are gone, what the store has not committed is lost. An orderly end
  // commits first.
  void kill();
  void restart_orderly();
  std::size_t session_count() const;
  std::size_t connections_of(const std::string& name) const;
  std::size_t loop_count() const { return loop_count_; }

  VirtualClock clock;
  broker::ClientRules rules;                  // of devices
  broker::ClientRules operator_rules;         // as the local listener has them
  broker::ClientRules account_rules;          // a full MQTT broker
  broker::ClientRules standard_device_rules;  // likewise, of devices of profile `mqtt`
  HeldStore store{clock};
  PresenceLog presence;
  RequestLog requests;
  broker::InstanceRates rates;

 private:
  TestClient& attach(std::size_t loop, const broker::ClientInfo& info, const session::SessionKey& key);

  // One life of the process.
  struct Process;
  void start();
  void end();

  std::mt19937_64 random_;
  const std::size_t loop_count_;
  std::unique_ptr<Process> process_;
  std::vector<std::unique_ptr<TestClient>> clients_;
  std::size_t operators_ = 0;
};

// Plays `history` for seeds 1..count and stops at the first that fails; MOORING_SIM_SEED=<n> plays that one alone.
void for_each_seed(std::uint64_t count, const std::function<void(std::uint64_t seed)>& history);
void in_many_worlds(const std::function<void(World&)>& history);  // 25 seeds, three loops

}  // namespace mooring::sim
