#include "things/child_host.h"

#include <utility>

#include "base/log.h"
#include "gateway/authorizers.h"
#include "mqtt/encode.h"
#include "session/ports.h"
#include "things/children.h"

namespace mooring::things {
namespace {

using Kind = ChildOutput::Kind;

std::optional<auth::ChildRefusal> check_login(const auth::ChildSignIn& child, const ChildLink& link,
                                              const gateway::CachedCredential& credential) {
  return auth::check_child(auth::ChildProof::kLogin, child, credential.exists ? &credential.record : nullptr,
                           *link.gateway_names, credential.is_child_of(*link.gateway_names));
}

int code_of(broker::AttachError error) {
  return error == broker::AttachError::kTakenOver ? 427 : 500;
}

}  // namespace

// A child's connection, as the broker sees it. Everything goes into the outbox of its link.
class ChildHost::Connection final : public broker::ClientSink {
 public:
  Connection(ChildHost& host, ChildLinkRef link, ChildNumber number, base::DeviceKey device)
      : host_(host), link_(std::move(link)), number_(number), device_(std::move(device)) {}
  ~Connection() override {
    if (client != nullptr && client->connected()) host_.parts_.broker.detach(*client, end_reason);
  }

  // broker::ClientSink
  void send_publish(const broker::PublishOut& packet) override {
    link_->down_bytes += packet.message->memory_bytes();
    ChildOutput output = make(Kind::kPublish);
    output.message = packet.message;
    output.qos = packet.qos;
    output.dup = packet.dup;
    output.retain = packet.retain;
    output.packet_id = packet.packet_id;
    output.subscription_ids.assign(packet.subscription_ids.begin(), packet.subscription_ids.end());
    host_.tell(link_, std::move(output));
  }
  void send_ack(mqtt::PacketType type, std::uint16_t packet_id, mqtt::ReasonCode reason) override {
    // PUBREL, of a message that the device has since it was connected itself; the gateway knows nothing of it.
    if (type == mqtt::PacketType::kPubrel) return host_.complete_later(id(), packet_id);
    ChildOutput output = make(Kind::kAck);
    output.packet_id = packet_id;
    output.reason = reason;
    host_.tell(link_, std::move(output));
  }
  void send_suback(std::uint16_t packet_id, std::span<const mqtt::ReasonCode> codes) override {
    ChildOutput output = make(Kind::kSuback);
    output.packet_id = packet_id;
    output.codes.assign(codes.begin(), codes.end());
    host_.tell(link_, std::move(output));
  }
  void send_unsuback(std::uint16_t packet_id, std::span<const mqtt::ReasonCode> codes) override {
    send_suback(packet_id, codes);
  }
  bool fits(const broker::PublishOut& packet) const override {
    if (link_->gateway.version != mqtt::Version::k5) return true;
    constexpr std::size_t kAliasBytes = 3;
    mqtt::PublishExtras extras;
    extras.message_expiry_s = packet.message->expires_at_ms() != 0 ? std::optional<std::uint32_t>(0) : std::nullopt;
    extras.subscription_ids = packet.subscription_ids;
    const mqtt::Publish5Head head(*packet.message, packet.qos, packet.dup, packet.retain, packet.packet_id, extras);
    const std::size_t most = link_->gateway.max_packet_bytes;
    return head.fits() && (most == 0 || head.packet_bytes() + kAliasBytes <= most);
  }
  // Asked again after the wish to be told: what the gateway's loop took meanwhile it would not tell of.
  bool congested() const override {
    if (!is_congested()) return false;
    link_->waits = true;
    return is_congested();
  }
  // What the gateway has unacknowledged is bounded on its own connection.
  void pause_input() override {}
  void resume_input() override {}
  void close(broker::CloseCause cause) override {
    ChildOutput output = make(Kind::kClosed);
    output.cause = cause;
    host_.tell(link_, std::move(output));
    host_.forget_later({link_->number, number_});
  }

  ChildOutput make(Kind kind) const {
    ChildOutput output{.kind = kind};
    output.child = number_;
    return output;
  }
  ChildId id() const { return {link_->number, number_}; }
  const ChildLinkRef& link() const { return link_; }
  const base::DeviceKey& device() const { return device_; }

  std::shared_ptr<broker::Client> client;  // null before its proof was found to hold
  std::unique_ptr<gateway::DeviceAuthorizer> authorizer;
  broker::OfflineReason end_reason = broker::OfflineReason::kServerStopped;

 private:
  bool is_congested() const { return link_->congested || link_->down_bytes > ChildLink::kDownBytesMax; }

  ChildHost& host_;
  const ChildLinkRef link_;
  const ChildNumber number_;
  const base::DeviceKey device_;
};

ChildHost::ChildHost(const Parts& parts) : parts_(parts) {}
ChildHost::~ChildHost() = default;

ChildHost::Connection* ChildHost::find(const ChildId& id) {
  const auto found = children_.find(id);
  return found == children_.end() ? nullptr : found->second.get();
}

// All that a turn has for one gateway goes in one task.
void ChildHost::tell(const ChildLinkRef& link, ChildOutput output) {
  if (outboxes_.empty()) parts_.loop.post([this] { flush(); });
  Outbox& outbox = outboxes_[link->number];
  outbox.link = link;
  outbox.outputs.push_back(std::move(output));
}

void ChildHost::flush() {
  auto outboxes = std::exchange(outboxes_, {});
  for (auto& [number, outbox] : outboxes) {
    outbox.link->loop.post([link = outbox.link, outputs = std::move(outbox.outputs)]() mutable {
      if (link->children != nullptr) link->children->take(std::move(outputs));
    });
  }
}

void ChildHost::check(const ChildLinkRef& link, ChildNumber number, auth::ChildSignIn child) {
  base::DeviceKey device = child.device;
  parts_.sign_in.find(std::move(device), [this, link, number, child = std::move(child)](
                                             base::Result<const gateway::CachedCredential*> found) {
    ChildOutput output{.kind = Kind::kChecked};
    output.child = number;
    output.code = 200;
    if (!found) {
      output.code = 500;
    } else if (const auto refusal = check_login(child, *link, **found)) {
      output.code = refusal->code;
    }
    tell(link, std::move(output));
  });
}

void ChildHost::join(const ChildLinkRef& link, ChildNumber number, auth::ChildSignIn child, std::uint64_t arrival) {
  const ChildId id{link->number, number};
  base::DeviceKey device = child.device;
  children_[id] = std::make_unique<Connection>(*this, link, number, device);
  by_device_[device].push_back(id);
  parts_.sign_in.find(std::move(device), [this, id, arrival, child = std::move(child)](
                                             base::Result<const gateway::CachedCredential*> found) {
    on_found(id, child, arrival, found);
  });
}

void ChildHost::on_found(const ChildId& id, const auth::ChildSignIn& child, std::uint64_t arrival,
                         const base::Result<const gateway::CachedCredential*>& found) {
  Connection* connection = find(id);
  if (connection == nullptr) return;  // its gateway has gone meanwhile, or logged it out
  if (!found) return refuse(*connection, 500);
  if (const auto refusal = check_login(child, *connection->link(), **found)) return refuse(*connection, refusal->code);
  attach(*connection, child, arrival, **found);
}

void ChildHost::attach(Connection& connection, const auth::ChildSignIn& child, std::uint64_t arrival,
                       const gateway::CachedCredential& credential) {
  const broker::ClientTraits& gateway = connection.link()->gateway;
  const bool standard = credential.product->profile == registry::Profile::kMqtt;
  const broker::ClientRules& rules = standard ? parts_.rules.standard_device : parts_.rules.device;
  const std::uint32_t ext_bits =
      child.ext_bits | (gateway.custom_rrpc ? auth::kExtCustomRrpc : 0U);  // the gateway's firmware speaks for it

  broker::ClientInfo info;
  info.kind = broker::ClientKind::kDevice;
  info.version = gateway.version;
  info.gateway = connection.link()->gateway_names;
  info.iot_id = credential.record.iot_id;
  info.peer_address = connection.link()->gateway_address;
  info.tls = gateway.tls;
  info.websocket = gateway.websocket;
  info.keep_alive_s = gateway.keep_alive_s;
  info.clean_session = child.clean_session;
  info.session_expiry_s = child.clean_session ? 0 : rules.max_session_expiry_s;
  info.custom_rrpc = (ext_bits & auth::kExtCustomRrpc) != 0;
  info.auto_subscribe = child.auto_subscribe || gateway.auto_subscribe;
  info.arrival = arrival;
  info.rules = &rules;
  connection.authorizer =
      std::make_unique<gateway::DeviceAuthorizer>(child.device, credential.product, ext_bits, parts_.rules.topics);
  const session::SessionKey key =
      session::device_session_key(child.device.product_key, child.device.device_name, credential.record.life);
  connection.client = std::make_shared<broker::Client>(info, key, connection, *connection.authorizer);
  connection.client->facts.reset(new broker::ClientFacts{child.facts.language, child.facts.sdk_version,
                                                         child.facts.system, child.facts.module_id});
  connection.client->last_activity_ms = parts_.clock.wall_ms();
  parts_.broker.attach(connection.client,
                       [this, id = connection.id()](tl::expected<broker::AttachResult, broker::AttachError> result) {
                         Connection* attached = find(id);
                         if (attached == nullptr) return;
                         if (!result) return refuse(*attached, code_of(result.error()));
                         ChildOutput output = attached->make(Kind::kJoined);
                         output.code = 200;
                         tell(attached->link(), std::move(output));
                       });
}

// The broker may still be at work with it.
void ChildHost::refuse(Connection& connection, int code) {
  ChildOutput output = connection.make(Kind::kJoined);
  output.code = code;
  tell(connection.link(), std::move(output));
  if (connection.client != nullptr) connection.client->sink = nullptr;
  forget_later(connection.id());
}

void ChildHost::leave(const ChildId& id, broker::OfflineReason reason) {
  Connection* connection = find(id);
  if (connection == nullptr) return;
  connection->end_reason = reason;
  forget(id);
}

void ChildHost::forget(const ChildId& id) {
  const auto found = children_.find(id);
  if (found == children_.end()) return;
  const std::unique_ptr<Connection> gone = std::move(found->second);  // goes offline at the end, when it is not found
  children_.erase(found);
  const auto ids = by_device_.find(gone->device());
  std::erase(ids->second, id);
  if (ids->second.empty()) by_device_.erase(ids);
}

void ChildHost::forget_later(const ChildId& id) {
  parts_.loop.post([this, id] { forget(id); });
}

void ChildHost::publish(const ChildLinkRef& link, ChildNumber number, const OwnedPublish& message) {
  // At half of the bound the gateway's connection is read again.
  const std::size_t before = link->up_bytes.fetch_sub(message.bytes());
  if (before - message.bytes() <= ChildLink::kUpBytesMax / 2 && link->held.exchange(false)) {
    link->loop.post([link] {
      if (link->children != nullptr) link->children->read_again();
    });
  }
  const ChildId id{link->number, number};
  const std::shared_ptr<broker::Client> client = speaking(id);
  if (client == nullptr) return;
  const std::uint64_t throttled = client->throttled_publishes;
  const mqtt::Publish packet = message.packet();
  parts_.broker.publish(*client, packet);
  // Firmware of MQTT 3.x is told nothing of what is over a rate, but those behind it are not to wait.
  if (packet.qos == 0 || client->speaks_v5() || client->throttled_publishes == throttled) return;
  ChildOutput output{.kind = Kind::kDropped};
  output.child = number;
  output.packet_id = packet.packet_id;
  tell(link, std::move(output));
}

void ChildHost::subscribe(const ChildId& id, std::uint16_t packet_id, const OwnedFilters& filters,
                          std::uint32_t subscription_id) {
  const std::shared_ptr<broker::Client> client = speaking(id);
  if (client == nullptr) return;
  mqtt::Subscribe packet;
  packet.packet_id = packet_id;
  packet.entries = filters.entries();
  packet.subscription_id = subscription_id;
  parts_.broker.subscribe(*client, packet);
}

void ChildHost::unsubscribe(const ChildId& id, std::uint16_t packet_id, const OwnedFilters& filters) {
  const std::shared_ptr<broker::Client> client = speaking(id);
  if (client == nullptr) return;
  mqtt::Unsubscribe packet;
  packet.packet_id = packet_id;
  packet.filters = filters.filters();
  parts_.broker.unsubscribe(*client, packet);
}

void ChildHost::acknowledged(const ChildId& id, std::uint16_t packet_id) {
  const std::shared_ptr<broker::Client> client = speaking(id);
  if (client == nullptr) return;
  parts_.broker.acknowledged(*client, {packet_id, mqtt::ReasonCode::kSuccess});
  // One of QoS 2 went out with QoS 1, and this ends it; an error code does so without PUBREL (MQTT 5 section 4.3.3).
  parts_.broker.received(*client, {packet_id, mqtt::ReasonCode::kUnspecifiedError});
}

void ChildHost::complete_later(const ChildId& id, std::uint16_t packet_id) {
  parts_.loop.post([this, id, packet_id] {
    Connection* connection = find(id);
    if (connection == nullptr || connection->client == nullptr) return;
    parts_.broker.completed(*connection->client, {packet_id, mqtt::ReasonCode::kSuccess});
  });
}

// The child has said something.
std::shared_ptr<broker::Client> ChildHost::speaking(const ChildId& id) {
  Connection* connection = find(id);
  if (connection == nullptr || connection->client == nullptr || connection->client->session == nullptr) return nullptr;
  connection->client->last_activity_ms = parts_.clock.wall_ms();
  return connection->client;
}

void ChildHost::resume(const std::vector<ChildNumber>& children, std::uint64_t link) {
  for (const ChildNumber number : children) {
    Connection* connection = find({link, number});
    if (connection == nullptr || connection->client == nullptr) continue;
    parts_.broker.resume_delivery(*connection->client);
  }
}

void ChildHost::topology_gone(const base::DeviceKey& child, const base::DeviceKey& gateway) {
  const auto found = by_device_.find(child);
  if (found == by_device_.end()) return;
  const std::vector<ChildId> ids = found->second;
  for (const ChildId& id : ids) {
    Connection* connection = find(id);
    if (connection == nullptr || *connection->link()->gateway_names != gateway) continue;
    if (connection->client != nullptr && parts_.broker.client_of(child) == connection->client) {
      parts_.broker.close_client(*connection->client, broker::CloseCause::kTopologyGone);
    } else {
      refuse(*connection, 6401);
    }
  }
}

}  // namespace mooring::things
