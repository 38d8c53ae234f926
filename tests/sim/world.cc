#include "sim/world.h"

#include <algorithm>
#include <cstdlib>

#include "base/bytes.h"
#include "base/log.h"

namespace mooring::sim {
namespace {

void append_string(base::Bytes& out, std::string_view text) {
  out.push_back(static_cast<std::uint8_t>(text.size() >> 8));
  out.push_back(static_cast<std::uint8_t>(text.size() & 0xffU));
  out.insert(out.end(), text.begin(), text.end());
}

}  // namespace

void HeldStore::pass(base::Task call) {
  if (holding_) {
    held_.push_back(std::move(call));
  } else {
    call();
  }
}

void HeldStore::load(session::SessionKey key, base::Executor& reply_to,
                     session::Callback<base::Result<std::optional<session::SessionRecord>>> done) {
  pass([this, name = std::move(key), &reply_to, call = std::move(done)]() mutable {
    memory.load(std::move(name), reply_to, std::move(call));
  });
}

void HeldStore::save(session::SessionRecord record, session::Epoch epoch, base::Executor& reply_to,
                     session::Callback<base::Result<>> done) {
  ++saves;
  pass([this, value = std::move(record), epoch, &reply_to, call = std::move(done)]() mutable {
    memory.save(std::move(value), epoch, reply_to, std::move(call));
  });
}

void HeldStore::erase(session::SessionKey key, session::Epoch epoch, base::Executor& reply_to,
                      session::Callback<base::Result<>> done) {
  pass([this, name = std::move(key), epoch, &reply_to, call = std::move(done)]() mutable {
    memory.erase(std::move(name), epoch, reply_to, std::move(call));
  });
}

void HeldStore::go_on() {
  holding_ = false;
  while (!held_.empty()) {
    base::Task call = std::move(held_.front());
    held_.pop_front();
    call();
  }
}

void TestClient::note(std::string what) {
  EXPECT_FALSE(closed) << client->info.device.device_name << " is sent a " << what << " after it was closed";
  EXPECT_FALSE(left) << client->info.device.device_name << " is sent a " << what << " after it left";
  EXPECT_TRUE(attached) << client->info.device.device_name << " is sent a " << what << " before CONNACK";
  order.push_back(std::move(what));
}

void TestClient::send_publish(const mqtt::MessageRef& message, std::uint8_t qos, bool dup, std::uint16_t packet_id) {
  note("publish");
  EXPECT_EQ(packet_id == 0, qos == 0);
  EXPECT_FALSE(dup && qos == 0);
  got.push_back({std::string(message->topic()), std::string(base::as_text(message->payload())), qos, dup, packet_id});
  if (on_delivery) on_delivery(got.back());
}

void TestClient::send_puback(std::uint16_t packet_id) {
  note("puback");
  pubacks.push_back(packet_id);
}

void TestClient::send_suback(std::uint16_t packet_id, std::span<const std::uint8_t> codes) {
  note("suback");
  subacks.emplace_back(packet_id, std::vector<int>(codes.begin(), codes.end()));
}

void TestClient::send_unsuback(std::uint16_t packet_id) {
  note("unsuback");
  unsubacks.push_back(packet_id);
}

void TestClient::close(broker::CloseCause cause) {
  EXPECT_FALSE(closed || left || refused) << "closed twice, or after its end";
  order.push_back("close");
  closed = cause;
}

bool TestClient::is_own(std::string_view topic) const {
  const base::DeviceKey& device = client->info.device;
  const std::string own = "/" + device.product_key + "/" + device.device_name + "/";
  return topic.starts_with(own) || topic.starts_with("/sys" + own);
}

broker::Authorizer::Verdict TestClient::may_publish(std::string_view topic) const {
  if (client->info.kind == broker::ClientKind::kOperator) return Verdict::kAllowed;
  if (topic.size() > 128) return Verdict::kTooLong;
  return is_own(topic) && !topic.ends_with("/get") ? Verdict::kAllowed : Verdict::kNotPermitted;
}

broker::Authorizer::Verdict TestClient::may_subscribe(std::string_view filter) const {
  if (client->info.kind == broker::ClientKind::kOperator) return Verdict::kAllowed;
  if (filter.size() > 128) return Verdict::kTooLong;
  if (filter.starts_with("/broadcast/" + client->info.device.product_key + "/")) return Verdict::kAllowed;
  return is_own(filter) && !filter.ends_with("/update") ? Verdict::kAllowed : Verdict::kNotPermitted;
}

std::vector<std::string> TestClient::payloads(std::string_view topic_prefix) const {
  std::vector<std::string> out;
  for (const Delivery& delivery : got) {
    if (delivery.topic.starts_with(topic_prefix)) out.push_back(delivery.payload);
  }
  return out;
}

std::vector<int> TestClient::codes(std::uint16_t packet_id) const {
  for (const auto& [id, codes] : subacks) {
    if (id == packet_id) return codes;
  }
  return {};
}

void PresenceLog::on_online(const broker::Client& client, base::WallMs) {
  const std::string& name = client.info.device.device_name;
  EXPECT_FALSE(is_online[name]) << name << " comes online twice";
  is_online[name] = true;
  events.push_back(name + " online");
}

void PresenceLog::on_offline(const broker::Client& client, base::WallMs, broker::OfflineReason reason) {
  const std::string& name = client.info.device.device_name;
  EXPECT_TRUE(is_online[name]) << name << " goes offline without having been online";
  is_online[name] = false;
  events.push_back(name + " offline: " + std::string(broker::to_text(reason)));
}

std::string device_topic(const std::string& name, const std::string& rest) {
  return "/" + kProduct + "/" + name + "/user/" + rest;
}
base::DeviceKey device_key(const std::string& name) {
  return {kProduct, name};
}
session::SessionKey session_key(const std::string& name) {
  return session::device_session_key(kProduct, name, 0);
}

World::World(std::uint64_t seed, std::size_t loop_count)
    : random_(seed), directory(VirtualClock::kStart), cluster_(loop_count) {
  base::set_log_level(base::LogLevel::kOff);
  operator_rules.max_filters_per_subscribe = 0;
  operator_rules.max_subscriptions = 0;
  operator_rules.deliver_at_publishers_qos = false;
  operator_rules.subscriptions_outlive_clean_session = false;
  for (std::size_t i = 0; i < loop_count; ++i) {
    const auto id = static_cast<session::LoopId>(i);
    loops_.push_back(std::make_unique<SimLoop>());
    brokers_.push_back(std::make_unique<broker::Broker>(
        broker::Broker::Parts{id, *loops_[i], clock, directory, store, cluster_.bus(id), presence}));
    cluster_.attach(id, *loops_[i], *brokers_[i]);
  }
  for (const auto& broker : brokers_) broker->start();
}

World::~World() = default;

bool World::step() {
  std::vector<std::size_t> busy;
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    if (!loops_[i]->tasks.empty() || loops_[i]->in_turn) busy.push_back(i);
  }
  if (busy.empty()) return false;
  const std::size_t chosen = busy[pick(busy.size())];
  SimLoop& loop = *loops_[chosen];
  if (loop.tasks.empty() || (loop.in_turn && chance(30))) {
    cluster_.bus(static_cast<session::LoopId>(chosen)).flush();
    loop.in_turn = false;
    return true;
  }
  base::Task task = std::move(loop.tasks.front());
  loop.tasks.pop_front();
  loop.in_turn = true;
  if (chance(10)) ++clock.now;
  task();
  return true;
}

void World::settle() {
  std::size_t steps = 0;
  while (step()) ASSERT_LT(++steps, 1'000'000U) << "the loops never come to rest";
}

void World::run(std::size_t steps) {
  while (steps-- > 0 && step()) {
  }
}

TestClient& World::attach(std::size_t loop, broker::ClientInfo info, session::SessionKey key) {
  clients_.push_back(std::make_unique<TestClient>(loop, std::move(info), std::move(key)));
  TestClient& who = *clients_.back();
  broker(loop).attach(who.client, [this, &who](tl::expected<broker::AttachResult, broker::AttachError> result) {
    EXPECT_FALSE(who.left) << "answered after it left";
    EXPECT_TRUE(who.waiting()) << "answered twice";
    if (result) {
      who.attached = *result;
      who.order.push_back("connack");
      EXPECT_LE(connections_of(who.client->info.device.device_name), 1U) << "two connections of one device";
    } else {
      who.refused = result.error();
      broker(who.loop).detach(*who.client, broker::OfflineReason::kConnectionReset);
    }
  });
  return who;
}

TestClient& World::connect(const std::string& name, std::size_t loop, const DeviceOptions& options) {
  broker::ClientInfo info;
  info.device = device_key(name);
  info.iot_id = "iot-" + name;
  info.peer_address = "192.0.2.7";
  info.clean_session = options.clean_session;
  info.wants_notify = options.wants_notify;
  info.rules = options.rules != nullptr ? options.rules : &rules;
  return attach(loop, std::move(info), session_key(name));
}

TestClient& World::connect_operator(std::size_t loop) {
  broker::ClientInfo info;
  info.kind = broker::ClientKind::kOperator;
  info.clean_session = true;
  info.rules = &operator_rules;
  session::SessionKey key("o");
  key.append(1, '\0').append(std::to_string(++operators_));
  return attach(loop, std::move(info), std::move(key));
}

void World::disconnect(TestClient& who, broker::OfflineReason reason) {
  who.client->last_activity_ms = clock.now;
  broker::Broker& home = broker(who.loop);
  who.left = true;
  home.detach(*who.client, reason);
}

std::uint16_t World::subscribe(TestClient& who, const Filters& filters) {
  base::Bytes payload;
  for (const auto& [filter, qos] : filters) {
    append_string(payload, filter);
    payload.push_back(qos);
  }
  mqtt::Subscribe packet;
  packet.packet_id = ++who.last_packet_id;
  packet.entries = mqtt::PayloadList<mqtt::SubscribeEntry>(payload, filters.size());
  broker(who.loop).subscribe(*who.client, packet);
  return packet.packet_id;
}

std::uint16_t World::unsubscribe(TestClient& who, const std::string& filter) {
  base::Bytes payload;
  append_string(payload, filter);
  mqtt::Unsubscribe packet;
  packet.packet_id = ++who.last_packet_id;
  packet.filters = mqtt::PayloadList<std::string_view>(payload, 1);
  broker(who.loop).unsubscribe(*who.client, packet);
  return packet.packet_id;
}

std::uint16_t World::publish(TestClient& who, const std::string& topic, const std::string& payload, std::uint8_t qos) {
  mqtt::Publish packet;
  packet.topic = topic;
  packet.payload = base::as_bytes(payload);
  packet.qos = qos;
  packet.packet_id = qos == 0 ? std::uint16_t{0} : ++who.last_packet_id;
  broker(who.loop).publish(*who.client, packet);
  return packet.packet_id;
}

void World::acknowledge(TestClient& who, std::uint16_t packet_id) {
  broker(who.loop).acknowledged(*who.client, packet_id);
}

void World::resume(TestClient& who) {
  who.full = false;
  broker(who.loop).resume_delivery(*who.client);
}

TestClient& World::connected(const std::string& name, std::size_t loop, const DeviceOptions& options) {
  TestClient& who = connect(name, loop, options);
  settle();
  EXPECT_TRUE(who.online());
  return who;
}

TestClient& World::connected_operator(std::size_t loop, const Filters& filters) {
  TestClient& who = connect_operator(loop);
  settle();
  EXPECT_TRUE(who.online());
  if (!filters.empty()) subscribed(who, filters);
  return who;
}

void World::subscribed(TestClient& who, const Filters& filters) {
  const std::uint16_t id = subscribe(who, filters);
  settle();
  EXPECT_EQ(who.codes(id).size(), filters.size());
  for (const int code : who.codes(id)) EXPECT_LE(code, 1);
}

broker::Broker& World::broker(std::size_t loop) {
  loops_[loop]->in_turn = true;
  return *brokers_[loop];
}

std::size_t World::session_count() const {
  std::size_t sum = 0;
  for (const auto& broker : brokers_) sum += broker->session_count();
  return sum;
}

std::size_t World::connections_of(const std::string& name) const {
  if (name.empty()) return 0;
  return static_cast<std::size_t>(std::count_if(clients_.begin(), clients_.end(), [&](const auto& who) {
    return who->online() && who->client->info.device.device_name == name;
  }));
}

void for_each_seed(std::uint64_t count, const std::function<void(std::uint64_t seed)>& history) {
  const char* only = std::getenv("MOORING_SIM_SEED");
  const std::uint64_t first = only != nullptr ? std::strtoull(only, nullptr, 10) : 1;
  const std::uint64_t last = only != nullptr ? first : count;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE("MOORING_SIM_SEED=" + std::to_string(seed));
    history(seed);
    if (testing::Test::HasFailure()) return;
  }
}

void in_many_worlds(const std::function<void(World&)>& history) {
  for_each_seed(25, [&](std::uint64_t seed) {
    World world(seed);
    history(world);
  });
}

}  // namespace mooring::sim
