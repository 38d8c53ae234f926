#include "gateway/mqtt_conversation.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "mqtt/encode.h"
#include "mqtt/property_block.h"

namespace mooring::gateway {
namespace {

// What a device may say in MQTT 5: connection.md 8. Empty: nothing is wrong.
std::string_view fault_of_properties(const mqtt::Publish& packet) {
  constexpr std::uint32_t kMaxUserProperties = 20;
  constexpr std::size_t kMaxBytes = 128;
  if (packet.properties.empty()) return {};
  if (packet.user_property_count > kMaxUserProperties) return "more than 20 user properties";
  if (packet.response_topic.size() > kMaxBytes) return "the response topic is longer than 128 bytes";
  std::size_t user_bytes = 0;
  mqtt::PropertyReader reader(packet.properties);
  for (mqtt::Property property; reader.next(property);) {
    if (property.id == mqtt::PropertyId::kCorrelationData && property.binary.size() > kMaxBytes) {
      return "the correlation data are longer than 128 bytes";
    }
    if (property.id != mqtt::PropertyId::kUserProperty) continue;
    if (property.text.starts_with('_')) return "a user property's key begins with '_'";
    user_bytes += property.text.size() + property.value.size();
  }
  return user_bytes > kMaxBytes ? "the user properties have more than 128 characters" : std::string_view();
}

}  // namespace

MqttConversation::MqttConversation(Transport& transport, MqttServices& services, bool websocket)
    : transport_(transport),
      services_(&services),
      writer_(transport, websocket),
      machine_(services.stranger_limits),
      self_(std::make_shared<MqttConversation*>(this)) {}

MqttConversation::~MqttConversation() {
  detach(broker::OfflineReason::kConnectionReset);
  if (counted_) --services_->counters.connected[static_cast<std::size_t>(channel())];
  if (flight_ == nullptr) return;
  note_end();
  services_->flights.close(*flight_);
}

std::size_t MqttConversation::receive(base::MutableBytes input) {
  mqtt::ServerConnectionEvents& events =
      registered_ != nullptr ? static_cast<mqtt::ServerConnectionEvents&>(*registered_) : *this;
  const std::size_t taken = machine_.receive(input, events);
  // Whole packets count, not bytes: a peer that trickles one byte of a packet now and then is not alive.
  if (machine_.packets_received() != packets_seen_) {
    packets_seen_ = machine_.packets_received();
    last_packet_ms_ = transport_.loop().now_ms();
  }
  return taken;
}

void MqttConversation::on_publish(const mqtt::Publish& packet) {
  ++services_->counters.messages_in[packet.qos];
  services_->counters.bytes_in[packet.qos] += packet.payload.size();
  note_publish(packet);
  if (client_->is_device() && speaks_v5()) {
    if (const std::string_view fault = fault_of_properties(packet); !fault.empty()) {
      base::log_info("gateway", "{}: publish to '{}' discarded: {} (9321)", who(), base::printable(packet.topic, 160),
                     fault);
      record_discarded(journal::kCodeParameterIllegal, "user-property", fault, packet.topic);
      services_->broker.discard(*client_, packet.qos, packet.packet_id);
      return;
    }
  }
  const std::uint64_t refused = client_->refused_publishes;
  services_->broker.publish(*client_, packet);
  // With QoS 1 and 2 the acknowledgement tells.
  if (flight_ != nullptr && packet.qos == 0 && client_->refused_publishes != refused) {
    flight_->set_last_result(static_cast<std::uint8_t>(mqtt::ReasonCode::kNotAuthorized));
  }
}

void MqttConversation::on_oversized_publish(const mqtt::OversizedPublish& packet) {
  note_received(static_cast<std::uint8_t>(0x30 | packet.qos << 1), packet.packet_id,
                static_cast<std::uint8_t>(mqtt::ReasonCode::kPacketTooLarge), packet.topic);
  base::log_info("gateway", "{}: publish of {} bytes to '{}' discarded: the payload is over the limit (9320)", who(),
                 packet.payload_bytes, base::printable(packet.topic, 160));
  record_discarded(journal::kCodePayloadIllegal, "payload-too-large", "the payload is over the limit", packet.topic);
  services_->broker.discard(*client_, packet.qos, packet.packet_id);
}

void MqttConversation::record_discarded(std::uint16_t code, std::string_view name, std::string_view reason,
                                        std::string_view topic) {
  if (!client_->is_device()) return;
  const std::uint32_t count = journal::repeats_to_report(++discarded_);
  if (count == 0) return;
  services_->log.record({.device = client_->device().copy(),
                         .action = journal::Action::kDiscarded,
                         .code = code,
                         .name = name,
                         .reason = std::string(reason),
                         .subject = std::string(topic),
                         .channel = journal::mqtt_channel(client_->info.tls, client_->info.websocket),
                         .address = std::string(client_->peer_address()),
                         .count = count});
}

// Of the rules that a packet can break, connection.md 9.2 has codes for two.
void MqttConversation::record_protocol_error(const mqtt::ProtocolError& error) {
  using Reason = mqtt::ProtocolErrorReason;
  if (error.reason == Reason::kInvalidTopic || error.reason == Reason::kInvalidFilter) {
    record_discarded(journal::kCodeTopicFormat, "topic-format", error.text, {});
  } else if (error.reason == Reason::kUnexpectedPacket) {
    record_discarded(journal::kCodePacketType, "packet-type", error.text, {});
  }
}

void MqttConversation::on_puback(const mqtt::Ack& packet) {
  note_ack(mqtt::PacketType::kPuback, packet);
  services_->broker.acknowledged(*client_, packet);
}
void MqttConversation::on_pubrec(const mqtt::Ack& packet) {
  note_ack(mqtt::PacketType::kPubrec, packet);
  services_->broker.received(*client_, packet);
}
void MqttConversation::on_pubrel(const mqtt::Ack& packet) {
  note_ack(mqtt::PacketType::kPubrel, packet);
  services_->broker.released(*client_, packet);
}
void MqttConversation::on_pubcomp(const mqtt::Ack& packet) {
  note_ack(mqtt::PacketType::kPubcomp, packet);
  services_->broker.completed(*client_, packet);
}
void MqttConversation::on_subscribe(const mqtt::Subscribe& packet) {
  note_received(0x82, packet.packet_id, packet.entries.begin()->qos, packet.entries.begin()->filter);
  services_->broker.subscribe(*client_, packet);
}
void MqttConversation::on_unsubscribe(const mqtt::Unsubscribe& packet) {
  note_received(0xA2, packet.packet_id, 0, *packet.filters.begin());
  services_->broker.unsubscribe(*client_, packet);
}
void MqttConversation::on_pingreq() {
  note_ping();
  writer_.packet(mqtt::encode_pingresp());
}

void MqttConversation::on_disconnect(const mqtt::Disconnect& packet) {
  note_received(0xE0, 0, static_cast<std::uint8_t>(packet.reason));
  if (packet.session_expiry_s) {
    const std::uint32_t wanted = std::min(*packet.session_expiry_s, client_->info.rules->max_session_expiry_s);
    if (client_->session_expiry_s == 0 && wanted != 0) {  // MQTT 5 section 3.14.2.2.2
      detach(broker::OfflineReason::kConnectionError);
      end(mqtt::ReasonCode::kProtocolError, ws::CloseCode::kProtocolError, "session expiry raised from 0");
      return;
    }
    client_->session_expiry_s = wanted;
  }
  client_->wants_will = packet.reason != mqtt::ReasonCode::kSuccess;
  last_packet_ms_ = transport_.loop().now_ms();  // this one counts as well: lastTime of connection.md 14
  detach(broker::OfflineReason::kDeviceDisconnect);
  finish(ws::CloseCode::kNormal, {});
}

// None is offered: a client has nothing to continue, nor to begin anew (MQTT 5 section 4.12).
void MqttConversation::on_auth(const mqtt::Auth&) {
  detach(broker::OfflineReason::kConnectionError);
  end(mqtt::ReasonCode::kProtocolError, ws::CloseCode::kProtocolError, "AUTH without authentication method");
}

void MqttConversation::on_protocol_error(const mqtt::ProtocolError& error) {
  base::log_info("gateway", "{}: closed: {}: {}", who(), mqtt::to_string(error.reason), error.text);
  if (client_ != nullptr) {
    client_->end_detail = error.text;
    record_protocol_error(error);
  }
  detach(broker::OfflineReason::kConnectionError);
  const bool too_large = error.reason == mqtt::ProtocolErrorReason::kPacketTooLarge;
  const ws::CloseCode code = too_large ? ws::CloseCode::kMessageTooBig : ws::CloseCode::kProtocolError;
  if (!error.reply.empty()) {
    writer_.packet(error.reply);
    finish(code, error.text);
  } else if (speaks_v5() && !accepted_) {
    base::Bytes packet;
    mqtt::append_connack5(packet, error.code, false, {});
    writer_.packet(packet);
    finish(code, error.text);
  } else {
    end(error.code, code, error.text);
  }
}

void MqttConversation::end(mqtt::ReasonCode reason, ws::CloseCode close_code, std::string_view text) {
  machine_.close();
  if (speaks_v5() && accepted_) {
    const mqtt::SmallPacket packet = mqtt::encode_disconnect(mqtt::Version::k5, reason);
    note_sent(packet.view(), 0, static_cast<std::uint8_t>(reason));
    writer_.packet(packet.view());
  }
  finish(close_code, text);
}

// Its client may be back before the socket is gone: the end is noted here.
void MqttConversation::finish(ws::CloseCode close_code, std::string_view text) {
  writer_.finish(close_code, text);
  note_end();
}

// ---- broker::ClientSink ----

namespace {

// What is left of a message's life, in whole seconds, at least one.
std::optional<std::uint32_t> seconds_left(const mqtt::Message& message, const base::Clock& clock) {
  if (message.expires_at_ms() == 0) return std::nullopt;
  const base::WallMs left_ms = message.expires_at_ms() - clock.wall_ms();
  return static_cast<std::uint32_t>(std::max<base::WallMs>(1, (left_ms + 999) / 1000));
}

base::ByteView as_codes(std::span<const mqtt::ReasonCode> codes) {
  static_assert(sizeof(mqtt::ReasonCode) == 1);
  return {reinterpret_cast<const std::uint8_t*>(codes.data()), codes.size()};
}

}  // namespace

void MqttConversation::send_publish(const broker::PublishOut& packet) {
  const mqtt::MessageRef& message = packet.message;
  ++services_->counters.messages_out[packet.qos];
  services_->counters.bytes_out[packet.qos] += message->payload().size();
  // Neither what was kept as retained nor what is repeated was published now.
  if (!packet.retain && !packet.dup) services_->deliveries.count(message->published_ms());
  if (!speaks_v5()) {
    note_publish(packet, 2 + message->topic().size() + (packet.qos > 0 ? 2 : 0) + message->payload().size());
    writer_.publish(message, packet.qos, packet.dup, packet.retain, packet.packet_id);
    return;
  }
  mqtt::PublishExtras extras;
  extras.message_expiry_s = seconds_left(*message, services_->clock);
  extras.subscription_ids = packet.subscription_ids;
  if (aliases_ != nullptr) {
    const OutgoingAliases::Alias alias = aliases_->of(message->topic());
    extras.topic_alias = alias.number;
    extras.topic_omitted = alias.known;
  }
  const mqtt::Publish5Head head(*message, packet.qos, packet.dup, packet.retain, packet.packet_id, extras);
  note_publish(packet, head.body_bytes());
  writer_.publish(message, head);
}

// Counted without the alias's name for the topic, which adds three bytes once and shortens the packet afterwards.
bool MqttConversation::fits(const broker::PublishOut& packet) const {
  if (!speaks_v5()) return true;
  mqtt::PublishExtras extras;
  extras.message_expiry_s = packet.message->expires_at_ms() != 0 ? std::optional<std::uint32_t>(0) : std::nullopt;
  extras.subscription_ids = packet.subscription_ids;
  const mqtt::Publish5Head head(*packet.message, packet.qos, packet.dup, packet.retain, packet.packet_id, extras);
  const std::size_t alias_bytes = aliases_ != nullptr ? 3 : 0;
  return head.fits() &&
         (client_max_packet_bytes_ == 0 || head.packet_bytes() + alias_bytes <= client_max_packet_bytes_);
}

void MqttConversation::send_ack(mqtt::PacketType type, std::uint16_t packet_id, mqtt::ReasonCode reason) {
  const mqtt::SmallPacket packet = mqtt::encode_ack(machine_.version(), type, packet_id, reason);
  note_ack(packet, packet_id, reason);
  writer_.packet(packet);
}

void MqttConversation::send_suback(std::uint16_t packet_id, std::span<const mqtt::ReasonCode> codes) {
  base::Bytes packet;
  if (speaks_v5()) {
    mqtt::append_suback(packet, mqtt::Version::k5, packet_id, as_codes(codes));
  } else {
    base::Bytes plain;
    for (const mqtt::ReasonCode code : codes) {
      plain.push_back(mqtt::is_error(code) ? mqtt::kSubackFailure : static_cast<std::uint8_t>(code));
    }
    mqtt::append_suback(packet, machine_.version(), packet_id, plain);
  }
  note_sent(packet, packet_id, packet[packet.size() - codes.size()]);
  writer_.packet(packet);
}

void MqttConversation::send_unsuback(std::uint16_t packet_id, std::span<const mqtt::ReasonCode> codes) {
  base::Bytes packet;
  mqtt::append_unsuback(packet, machine_.version(), packet_id, as_codes(codes));
  note_sent(packet, packet_id, static_cast<std::uint8_t>(codes[0]));
  writer_.packet(packet);
}

bool MqttConversation::congested() const {
  return transport_.congested();
}

void MqttConversation::pause_input() {
  machine_.pause();
}
void MqttConversation::resume_input() {
  machine_.resume();
  transport_.input_wanted();
}

namespace {

struct Farewell {
  mqtt::ReasonCode reason;
  std::string_view text;
};

Farewell farewell(broker::CloseCause cause) {
  switch (cause) {
    case broker::CloseCause::kTakenOver:
      return {mqtt::ReasonCode::kSessionTakenOver, "Kicked by the same device"};
    case broker::CloseCause::kDisabled:
      return {mqtt::ReasonCode::kAdministrativeAction, "the device was disabled (6208)"};
    case broker::CloseCause::kDeleted:
      return {mqtt::ReasonCode::kAdministrativeAction, "the device or account was deleted"};
    case broker::CloseCause::kRevoked:
      return {mqtt::ReasonCode::kAdministrativeAction, "the ticket was revoked"};
    case broker::CloseCause::kKicked:
      return {mqtt::ReasonCode::kAdministrativeAction, "by an operator"};
    case broker::CloseCause::kTooSlow:
      return {mqtt::ReasonCode::kQuotaExceeded, "the client reads too slowly (1901)"};
    case broker::CloseCause::kReceiveMaximum:
      return {mqtt::ReasonCode::kReceiveMaximumExceeded, "more unacknowledged PUBLISH packets than allowed"};
    case broker::CloseCause::kProtocolError:
      return {mqtt::ReasonCode::kProtocolError, "protocol error"};
    case broker::CloseCause::kTopologyGone:  // of children alone
      return {mqtt::ReasonCode::kAdministrativeAction, "the device is no child of the gateway any more"};
    case broker::CloseCause::kStoreFailed:
      return {mqtt::ReasonCode::kQuotaExceeded, "its message could not be stored; the client will repeat it"};
  }
  return {mqtt::ReasonCode::kUnspecifiedError, "closed"};
}

}  // namespace

void MqttConversation::close(broker::CloseCause cause) {
  const Farewell goodbye = farewell(cause);
  base::log_info("gateway", "{}: closed by the server: {}", who(), goodbye.text);
  if (!accepted_) {
    answer_refusal(mqtt::ReasonCode::kNotAuthorized, mqtt::ConnackCode::kNotAuthorized);
    record_refusal(journal::kCodeEnded, speaks_v5() ? 0x87 : 5, "closed", goodbye.text);
  }
  if (accepted_) {
    end_text_ = goodbye.text;
    end(goodbye.reason, ws::CloseCode::kPolicyViolation, "closed by the server");
  }
}

base::MonoMs MqttConversation::deadline() const {
  if (registered_ != nullptr) return registered_->deadline_ms();
  if (!accepted_) return 0;
  const base::MonoMs silent_at_ms = keep_alive_limit_ms_ != 0 ? last_packet_ms_ + keep_alive_limit_ms_ : 0;
  if (ticket_ == nullptr) return silent_at_ms;
  return silent_at_ms == 0 ? ticket_->ends_at_ms : std::min(silent_at_ms, ticket_->ends_at_ms);
}

void MqttConversation::on_deadline(base::MonoMs now) {
  if (registered_ != nullptr) {
    base::log_info("gateway", "{}: closed: it has its answer and did not leave", who());
    end(mqtt::ReasonCode::kAdministrativeAction, ws::CloseCode::kPolicyViolation, "connect as the device");
    return;
  }
  if (ticket_ != nullptr && now >= ticket_->ends_at_ms) {
    end_ticket();
    return;
  }
  base::log_info("gateway", "{}: closed: Keepalive timeout", who());
  detach(broker::OfflineReason::kKeepAliveTimeout);
  end(mqtt::ReasonCode::kKeepAliveTimeout, ws::CloseCode::kPolicyViolation, "keep alive timeout");
}

void MqttConversation::output_drained() {
  if (client_ != nullptr && client_->connected()) services_->broker.resume_delivery(*client_);
}

void MqttConversation::transport_ended(TransportEnd end) {
  switch (end) {
    case TransportEnd::kStalled:
      base::log_info("gateway", "{}: closed: the device reads too slowly (1901)", who());
      detach(broker::OfflineReason::kTooSlow);
      break;
    case TransportEnd::kShutdown:
      detach(broker::OfflineReason::kServerStopped);
      break;
    case TransportEnd::kBroken:
      if (client_ != nullptr && transport_.unsent_bytes() > 0) {
        record_discarded(journal::kCodeWriteFailed, "write-failed", "The connection broke before all was sent.", {});
      }
      detach(broker::OfflineReason::kConnectionError);
      break;
    case TransportEnd::kPeerClosed:
    case TransportEnd::kTimeout:
      detach(broker::OfflineReason::kConnectionReset);
      break;
  }
  note_end();
}

void MqttConversation::shut_down() {
  detach(broker::OfflineReason::kServerStopped);
  end(mqtt::ReasonCode::kServerShuttingDown, ws::CloseCode::kGoingAway, "the server stops");
}

void MqttConversation::detach(broker::OfflineReason reason) {
  machine_.close();
  self_.reset();  // a sign-in under way finds nobody
  if (client_ == nullptr || !client_->connected()) return;
  // How long ago the last packet came, on the clock of the wall.
  const base::WallMs last = services_->clock.wall_ms() - (transport_.loop().now_ms() - last_packet_ms_);
  client_->last_activity_ms = std::max(client_->last_activity_ms, last);  // never before it came online
  if (ticket_ != nullptr) limit_session_to_ticket();
  if (end_text_.empty()) end_text_ = to_text(reason);
  services_->broker.detach(*client_, reason);
}

std::string MqttConversation::who() const {
  const std::string address = transport_.peer().address.to_text();
  return client_ == nullptr ? address : client_->label() + " (" + address + ")";
}

}  // namespace mooring::gateway
