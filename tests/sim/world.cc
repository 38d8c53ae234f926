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

void HeldStore::save(session::SessionRecord record, session::Epoch epoch, base::Executor& reply_to, Done done) {
  ++saves;
  pass([this, value = std::move(record), epoch, &reply_to, call = std::move(done)]() mutable {
    memory.save(std::move(value), epoch, reply_to, std::move(call));
  });
}

void HeldStore::erase(session::SessionKey key, session::SessionNumber number, session::Epoch epoch,
                      base::Executor& reply_to, Done done) {
  pass([this, name = std::move(key), number, epoch, &reply_to, call = std::move(done)]() mutable {
    memory.erase(std::move(name), number, epoch, reply_to, std::move(call));
  });
}

void HeldStore::append(session::QueueItemRef item, base::Executor& reply_to, session::AppendListener& listener) {
  ++appends;
  pass([this, what = std::move(item), &reply_to, &listener]() mutable {
    memory.append(std::move(what), reply_to, listener);
  });
}

void HeldStore::write(std::vector<session::StoreOperation> operations, base::Executor& reply_to, Done done) {
  pass([this, all = std::move(operations), &reply_to, call = std::move(done)]() mutable {
    memory.write(std::move(all), reply_to, std::move(call));
  });
}

void HeldStore::remove(session::SessionNumber session, std::uint64_t sequence) {
  pass([this, session, sequence] { memory.remove(session, sequence); });
}

void HeldStore::drop_queue(session::SessionNumber session) {
  pass([this, session] { memory.drop_queue(session); });
}

void HeldStore::read(session::SessionNumber session, std::uint64_t from_sequence, std::size_t max_messages,
                     std::size_t max_bytes, base::Executor& reply_to, session::Callback<base::Result<Page>> done) {
  pass([this, session, from_sequence, max_messages, max_bytes, &reply_to, call = std::move(done)]() mutable {
    memory.read(session, from_sequence, max_messages, max_bytes, reply_to, std::move(call));
  });
}

void HeldStore::measure(session::SessionNumber session, base::Executor& reply_to,
                        session::Callback<base::Result<session::QueueSize>> done) {
  pass([this, session, &reply_to, call = std::move(done)]() mutable {
    memory.measure(session, reply_to, std::move(call));
  });
}

void HeldStore::save_retained(const mqtt::MessageRef& message, bool removed, base::Executor& reply_to, Done done) {
  pass([this, message, removed, &reply_to, call = std::move(done)]() mutable {
    memory.save_retained(message, removed, reply_to, std::move(call));
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
  EXPECT_FALSE(closed) << client->device().device_name << " is sent a " << what << " after it was closed";
  EXPECT_FALSE(left) << client->device().device_name << " is sent a " << what << " after it left";
  EXPECT_TRUE(attached) << client->device().device_name << " is sent a " << what << " before CONNACK";
  order.push_back(std::move(what));
}

void TestClient::send_publish(const broker::PublishOut& packet) {
  note("publish");
  EXPECT_EQ(packet.packet_id == 0, packet.qos == 0);
  EXPECT_FALSE(packet.dup && packet.qos == 0);
  got.push_back({std::string(packet.message->topic()),
                 std::string(base::as_text(packet.message->payload())),
                 packet.qos,
                 packet.dup,
                 packet.retain,
                 packet.packet_id,
                 {packet.subscription_ids.begin(), packet.subscription_ids.end()}});
  if (on_delivery) on_delivery(got.back());
}

void TestClient::send_ack(mqtt::PacketType type, std::uint16_t packet_id, mqtt::ReasonCode reason) {
  switch (type) {
    case mqtt::PacketType::kPuback:
      note("puback");
      pubacks.push_back(packet_id);
      break;
    case mqtt::PacketType::kPubrec:
      note("pubrec");
      break;
    case mqtt::PacketType::kPubrel:
      note("pubrel");
      break;
    default:
      note("pubcomp");
  }
  acks.push_back({type, packet_id, reason});
  if (on_ack) on_ack(acks.back());
}

namespace {

std::vector<int> to_ints(std::span<const mqtt::ReasonCode> codes, bool v5) {
  std::vector<int> out;
  for (const mqtt::ReasonCode code : codes) out.push_back(!v5 && mqtt::is_error(code) ? 0x80 : static_cast<int>(code));
  return out;
}

}  // namespace

void TestClient::send_suback(std::uint16_t packet_id, std::span<const mqtt::ReasonCode> codes) {
  note("suback");
  subacks.emplace_back(packet_id, to_ints(codes, client->speaks_v5()));
}

void TestClient::send_unsuback(std::uint16_t packet_id, std::span<const mqtt::ReasonCode>) {
  note("unsuback");
  unsubacks.push_back(packet_id);
}

void TestClient::close(broker::CloseCause cause) {
  EXPECT_FALSE(closed || left || refused) << "closed twice, or after its end";
  order.push_back("close");
  closed = cause;
}

bool TestClient::is_own(std::string_view topic) const {
  const base::DeviceKey device = client->device().copy();
  const std::string own = "/" + device.product_key + "/" + device.device_name + "/";
  return topic.starts_with(own) || topic.starts_with("/sys" + own) || topic.starts_with("/ext/rrpc/");
}

broker::Authorizer::Verdict TestClient::may_publish(std::string_view topic) const {
  if (!client->is_device()) return topic.starts_with("secret/") ? Verdict::kNotPermitted : Verdict::kAllowed;
  if (topic.size() > 128) return Verdict::kTooLong;
  return is_own(topic) && !topic.ends_with("/get") ? Verdict::kAllowed : Verdict::kNotPermitted;
}

broker::Authorizer::Verdict TestClient::may_subscribe(std::string_view filter) const {
  if (!client->is_device()) return filter.starts_with("secret/") ? Verdict::kNotPermitted : Verdict::kAllowed;
  if (filter.size() > 128) return Verdict::kTooLong;
  if (filter.starts_with("/broadcast/" + std::string(client->device().product_key) + "/")) return Verdict::kAllowed;
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
  const std::string name(client.device().device_name);
  EXPECT_FALSE(is_online[name]) << name << " comes online twice";
  is_online[name] = true;
  events.push_back(name + " online");
}

void PresenceLog::on_offline(const broker::Client& client, base::WallMs, broker::OfflineReason reason) {
  const std::string name(client.device().device_name);
  EXPECT_TRUE(is_online[name]) << name << " goes offline without having been online";
  is_online[name] = false;
  events.push_back(name + " offline: " + std::string(broker::to_text(reason)));
}

void PresenceLog::on_incident(const base::DeviceKey& device, const broker::Client* client,
                              const broker::Incident& incident) {
  EXPECT_TRUE(client == nullptr || client->device() == base::DeviceKeyView(device));
  incidents[device.device_name + " " + std::string(incident.name)] += incident.count;
  ++reports;
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

struct World::Process {
  Process(World& world, std::size_t loop_count)
      : directory(world.clock.now, world.store.memory.newest_epoch(), static_cast<session::LoopId>(loop_count)),
        cluster(loop_count),
        retained({}) {}
  ~Process() {
    for (const auto& loop : loops) loop->drop();
  }

  std::vector<std::unique_ptr<SimLoop>> loops;
  cluster::LocalDirectory directory;
  cluster::LocalCluster cluster;
  routing::RetainedMessages retained;
  std::vector<std::unique_ptr<broker::Broker>> brokers;
};

World::World(std::uint64_t seed, std::size_t loop_count) : random_(seed), loop_count_(loop_count) {
  base::set_log_level(base::LogLevel::kOff);
  operator_rules.max_filters_per_subscribe = 0;
  operator_rules.max_subscriptions = 0;
  operator_rules.deliver_at_publishers_qos = false;
  operator_rules.subscriptions_outlive_clean_session = false;
  account_rules = operator_rules;
  account_rules.max_qos = 2;
  account_rules.retain_available = true;
  account_rules.shared_available = true;
  account_rules.wills_available = true;
  standard_device_rules = account_rules;
  standard_device_rules.reached_unasked = false;
  standard_device_rules.standard_device = true;
  start();
}

World::~World() {
  end();
}

// What the server does when it starts: every stored session gets back to its home before the loops run.
void World::start() {
  clock.now += 5;  // nothing starts in no time
  process_ = std::make_unique<Process>(*this, loop_count_);
  Process& process = *process_;
  const auto loops = static_cast<session::LoopId>(loop_count_);
  for (std::size_t i = 0; i < loop_count_; ++i) {
    const auto id = static_cast<session::LoopId>(i);
    process.loops.push_back(std::make_unique<SimLoop>());
    process.brokers.push_back(std::make_unique<broker::Broker>(
        broker::Broker::Parts{id, loops, *process.loops[i], clock, process.directory, store, process.cluster.bus(id),
                              process.retained, presence, rates, &requests}));
    process.cluster.attach(id, *process.loops[i], *process.brokers[i]);
  }
  for (const auto& broker : process.brokers) broker->start();
  const auto home = [&](std::string_view key) -> broker::Broker& {
    return *process.brokers[session::home_loop(session::identity_of(key), loops)];
  };
  std::map<session::SessionNumber, broker::Broker*> homes;
  (void)store.for_each_session([&](session::SessionRecord&& record, session::Epoch) {
    broker::Broker& where = home(record.key);
    homes[record.number] = &where;
    where.restore(std::move(record), !record.key.starts_with('d') ? account_rules
                                     : record.standard_device     ? standard_device_rules
                                                                  : rules);
  });
  (void)store.for_each_received([&](session::SessionNumber number, std::uint16_t packet_id) {
    if (const auto found = homes.find(number); found != homes.end()) {
      found->second->restore_received(number, packet_id);
    }
  });
  (void)store.for_each_retained(
      [&](const mqtt::MessageRef& message) { process.retained.set(message, [](const mqtt::MessageRef&, bool) {}); });
  store.memory.erase("s", 0, process.directory.adopt(0, {}), *process.loops[0], [](base::Result<>) {});
  for (const auto& loop : process.loops) loop->in_turn = true;
}

void World::end() {
  store.drop_held();
  store.memory.crash();
  for (const auto& who : clients_) {
    who->left = true;
    who->client->sink = nullptr;
    who->client->session = nullptr;
  }
  presence.is_online.clear();
  for (const auto& loop : process_->loops) loop->drop();
  process_->brokers.clear();  // what its sessions still give to the store is lost as well
  store.memory.crash();
  process_.reset();
}

void World::kill() {
  end();
  clock.now += 1 + static_cast<base::WallMs>(pick(1000));
  start();
  settle();  // clients are let in when every loop knows the subscriptions of all
}

void World::restart_orderly() {
  for (const auto& who : clients_) {
    if (who->online()) disconnect(*who, broker::OfflineReason::kServerStopped);
  }
  store.go_on();
  settle();
  kill();
}

void World::tick() {
  for (std::size_t i = 0; i < loop_count_; ++i) broker(i).tick();
}

void World::pass(std::int64_t seconds) {
  clock.now += seconds * 1000;
  tick();
  settle();
}

bool World::step() {
  std::vector<std::size_t> busy;
  for (std::size_t i = 0; i < process_->loops.size(); ++i) {
    if (!process_->loops[i]->tasks.empty() || process_->loops[i]->in_turn) busy.push_back(i);
  }
  if (busy.empty()) return false;
  const std::size_t chosen = busy[pick(busy.size())];
  SimLoop& loop = *process_->loops[chosen];
  if (loop.tasks.empty() || (loop.in_turn && chance(30))) {
    process_->cluster.bus(static_cast<session::LoopId>(chosen)).flush();
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

TestClient& World::attach(std::size_t loop, const broker::ClientInfo& info, const session::SessionKey& key) {
  clients_.push_back(std::make_unique<TestClient>(loop, info, key));
  TestClient& who = *clients_.back();
  broker(loop).attach(who.client, [this, &who](tl::expected<broker::AttachResult, broker::AttachError> result) {
    EXPECT_FALSE(who.left) << "answered after it left";
    EXPECT_TRUE(who.waiting()) << "answered twice";
    if (result) {
      who.attached = *result;
      who.order.push_back("connack");
      EXPECT_LE(connections_of(std::string(who.client->device().device_name)), 1U) << "two connections of one device";
    } else {
      who.refused = result.error();
      broker(who.loop).detach(*who.client, broker::OfflineReason::kConnectionReset);
    }
  });
  return who;
}

TestClient& World::connect(const std::string& name, const DeviceOptions& options) {
  broker::ClientInfo info;
  info.version = options.version;
  info.iot_id = "iot-" + name;
  info.peer_address = "192.0.2.7";
  info.clean_session = options.clean_session;
  info.session_expiry_s = options.clean_session ? 0 : mqtt::kNeverExpires;
  info.wants_notify = options.wants_notify;
  info.auto_subscribe = options.auto_subscribe;
  info.custom_rrpc = options.custom_rrpc;
  info.receive_maximum = options.receive_maximum;
  info.arrival = options.arrival != 0 ? options.arrival : broker(home_of(name)).arrival();
  info.rules = options.rules != nullptr ? options.rules : &rules;
  return attach(home_of(name), info, session_key(name));
}

TestClient& World::connect_account(const std::string& client_id, const AccountOptions& options) {
  broker::ClientInfo info;
  info.kind = broker::ClientKind::kAccount;
  info.version = options.version;
  info.clean_session = options.clean_session;
  info.session_expiry_s = options.version == mqtt::Version::k5 ? options.session_expiry_s
                          : options.clean_session              ? 0
                                                               : mqtt::kNeverExpires;
  info.receive_maximum = options.receive_maximum;
  info.arrival = broker(0).arrival();
  info.rules = options.rules != nullptr ? options.rules : &account_rules;
  const auto loop = session::home_loop(client_id, static_cast<session::LoopId>(loop_count_));
  TestClient& who = attach(loop, info, session::account_session_key("lab", 0, client_id));
  if (options.will) who.client->will = std::make_unique<session::WillRecord>(*options.will);
  return who;
}

TestClient& World::connect_operator(std::size_t loop) {
  broker::ClientInfo info;
  info.kind = broker::ClientKind::kOperator;
  info.clean_session = true;
  info.rules = &operator_rules;
  session::SessionKey key("o");
  key.append(1, '\0').append(std::to_string(++operators_));
  return attach(loop, info, key);
}

void World::disconnect(TestClient& who, broker::OfflineReason reason) {
  who.client->last_activity_ms = clock.now;
  broker::Broker& home = broker(who.loop);
  who.left = true;
  home.detach(*who.client, reason);
}

std::uint16_t World::subscribe(TestClient& who, const Filters& filters, std::uint32_t subscription_id) {
  base::Bytes payload;
  for (const auto& [filter, qos] : filters) {
    append_string(payload, filter);
    payload.push_back(qos);
  }
  mqtt::Subscribe packet;
  packet.packet_id = ++who.last_packet_id;
  packet.subscription_id = subscription_id;
  packet.entries = mqtt::PayloadList<mqtt::SubscribeEntry>(payload, filters.size(), 0xff);
  broker(who.loop).subscribe(*who.client, packet);
  return packet.packet_id;
}

std::uint16_t World::unsubscribe(TestClient& who, const std::string& filter) {
  base::Bytes payload;
  append_string(payload, filter);
  mqtt::Unsubscribe packet;
  packet.packet_id = ++who.last_packet_id;
  packet.filters = mqtt::PayloadList<std::string_view>(payload, 1, 0);
  broker(who.loop).unsubscribe(*who.client, packet);
  return packet.packet_id;
}

std::uint16_t World::publish(TestClient& who, const std::string& topic, const std::string& payload, std::uint8_t qos,
                             bool retain, std::optional<std::uint32_t> message_expiry_s) {
  mqtt::Publish packet;
  packet.message_expiry_s = message_expiry_s;
  packet.topic = topic;
  packet.payload = base::as_bytes(payload);
  packet.qos = qos;
  packet.retain = retain;
  packet.packet_id = qos == 0 ? std::uint16_t{0} : ++who.last_packet_id;
  broker(who.loop).publish(*who.client, packet);
  return packet.packet_id;
}

void World::repeat(TestClient& who, const std::string& topic, const std::string& payload, std::uint8_t qos,
                   std::uint16_t packet_id) {
  mqtt::Publish packet;
  packet.topic = topic;
  packet.payload = base::as_bytes(payload);
  packet.qos = qos;
  packet.dup = true;
  packet.packet_id = packet_id;
  broker(who.loop).publish(*who.client, packet);
}

void World::acknowledge(TestClient& who, std::uint16_t packet_id) {
  broker(who.loop).acknowledged(*who.client, {packet_id, mqtt::ReasonCode::kSuccess});
}
void World::pubrec(TestClient& who, std::uint16_t packet_id) {
  broker(who.loop).received(*who.client, {packet_id, mqtt::ReasonCode::kSuccess});
}
void World::pubrel(TestClient& who, std::uint16_t packet_id) {
  broker(who.loop).released(*who.client, {packet_id, mqtt::ReasonCode::kSuccess});
}
void World::pubcomp(TestClient& who, std::uint16_t packet_id) {
  broker(who.loop).completed(*who.client, {packet_id, mqtt::ReasonCode::kSuccess});
}

void World::resume(TestClient& who) {
  who.full = false;
  broker(who.loop).resume_delivery(*who.client);
}

TestClient& World::connected(const std::string& name, const DeviceOptions& options) {
  TestClient& who = connect(name, options);
  settle();
  EXPECT_TRUE(who.online());
  return who;
}

TestClient& World::connected_account(const std::string& client_id, const AccountOptions& options) {
  TestClient& who = connect_account(client_id, options);
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
  for (const int code : who.codes(id)) EXPECT_LE(code, 2);
}

broker::Broker& World::broker(std::size_t loop) {
  process_->loops[loop]->in_turn = true;
  return *process_->brokers[loop];
}

base::Executor& World::executor(std::size_t loop) {
  return *process_->loops[loop];
}

std::size_t World::home_of(const std::string& device) const {
  return session::device_home_loop(kProduct, device, static_cast<session::LoopId>(loop_count_));
}

std::string World::name_at_home_on(std::size_t loop, int number) const {
  for (int i = 1;; ++i) {
    std::string name = "dev" + std::to_string(i);
    if (home_of(name) == loop && number-- == 0) return name;
  }
}

std::size_t World::session_count() const {
  std::size_t sum = 0;
  for (const auto& broker : process_->brokers) sum += broker->session_count();
  return sum;
}

std::size_t World::connections_of(const std::string& name) const {
  if (name.empty()) return 0;
  return static_cast<std::size_t>(std::count_if(clients_.begin(), clients_.end(), [&](const auto& who) {
    return who->online() && who->client->device().device_name == name;
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
