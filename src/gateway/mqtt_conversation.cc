#include "gateway/mqtt_conversation.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "mqtt/encode.h"

namespace mooring::gateway {

MqttConversation::MqttConversation(Transport& transport, MqttServices& services, bool websocket)
    : transport_(transport),
      services_(&services),
      writer_(transport, websocket),
      machine_(services.packet_limits),
      self_(std::make_shared<MqttConversation*>(this)) {}

MqttConversation::~MqttConversation() {
  detach(broker::OfflineReason::kConnectionReset);
}

std::size_t MqttConversation::receive(base::MutableBytes input) {
  const std::size_t taken = machine_.receive(input, *this);
  // Whole packets count, not bytes: a peer that trickles one byte of a packet now and then is not alive.
  if (machine_.packets_received() != packets_seen_) {
    packets_seen_ = machine_.packets_received();
    last_packet_ms_ = transport_.loop().now_ms();
  }
  return taken;
}

void MqttConversation::on_publish(const mqtt::Publish& packet) {
  services_->broker.publish(*client_, packet);
}

void MqttConversation::on_oversized_publish(const mqtt::OversizedPublish& packet) {
  base::log_info("gateway", "{}: publish of {} bytes to '{}' discarded: the payload is over the limit (9320)", who(),
                 packet.payload_bytes, base::printable(packet.topic, 160));
  if (packet.qos > 0) send_puback(packet.packet_id);
}

void MqttConversation::on_puback(std::uint16_t packet_id) {
  services_->broker.acknowledged(*client_, packet_id);
}
void MqttConversation::on_subscribe(const mqtt::Subscribe& packet) {
  services_->broker.subscribe(*client_, packet);
}
void MqttConversation::on_unsubscribe(const mqtt::Unsubscribe& packet) {
  services_->broker.unsubscribe(*client_, packet);
}
void MqttConversation::on_pingreq() {
  writer_.packet(mqtt::encode_pingresp().view());
}

void MqttConversation::on_disconnect() {
  detach(broker::OfflineReason::kDeviceDisconnect);
  writer_.finish(ws::CloseCode::kNormal, {});
}

void MqttConversation::on_protocol_error(const mqtt::ProtocolError& error) {
  base::log_info("gateway", "{}: closed: {}: {}", who(), mqtt::to_string(error.reason), error.text);
  detach(broker::OfflineReason::kConnectionError);
  if (!error.reply.empty()) writer_.packet(error.reply);
  const bool too_large = error.reason == mqtt::ProtocolErrorReason::kPacketTooLarge;
  writer_.finish(too_large ? ws::CloseCode::kMessageTooBig : ws::CloseCode::kProtocolError, error.text);
}

void MqttConversation::send_publish(const mqtt::MessageRef& message, std::uint8_t qos, bool dup,
                                    std::uint16_t packet_id) {
  writer_.publish(message, qos, dup, false, packet_id);
}
void MqttConversation::send_puback(std::uint16_t packet_id) {
  writer_.packet(mqtt::encode_puback(machine_.version(), packet_id).view());
}
void MqttConversation::send_unsuback(std::uint16_t packet_id) {
  writer_.packet(mqtt::encode_unsuback(machine_.version(), packet_id).view());
}
void MqttConversation::send_suback(std::uint16_t packet_id, std::span<const std::uint8_t> codes) {
  base::Bytes packet;
  mqtt::append_suback(packet, machine_.version(), packet_id, codes);
  writer_.packet(packet);
}
bool MqttConversation::congested() const {
  return transport_.congested();
}

void MqttConversation::close(broker::CloseCause cause) {
  base::log_info("gateway", "{}: closed by the server: {}", who(),
                 cause == broker::CloseCause::kTakenOver  ? "Kicked by the same device"
                 : cause == broker::CloseCause::kDisabled ? "the device was disabled (6208)"
                 : cause == broker::CloseCause::kDeleted  ? "the device was deleted"
                 : cause == broker::CloseCause::kTooSlow  ? "the device reads too slowly (1901)"
                                                          : "by an operator");
  machine_.close();
  writer_.finish(ws::CloseCode::kPolicyViolation, "closed by the server");
}

base::MonoMs MqttConversation::deadline() const {
  return accepted_ && keep_alive_limit_ms_ != 0 ? last_packet_ms_ + keep_alive_limit_ms_ : 0;
}

void MqttConversation::on_deadline(base::MonoMs) {
  base::log_info("gateway", "{}: closed: Keepalive timeout", who());
  detach(broker::OfflineReason::kKeepAliveTimeout);
  machine_.close();
  writer_.finish(ws::CloseCode::kPolicyViolation, "keep alive timeout");
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
      detach(broker::OfflineReason::kConnectionError);
      break;
    case TransportEnd::kPeerClosed:
    case TransportEnd::kTimeout:
      detach(broker::OfflineReason::kConnectionReset);
      break;
  }
}

void MqttConversation::shut_down() {
  detach(broker::OfflineReason::kServerStopped);
  writer_.finish(ws::CloseCode::kGoingAway, "the server stops");
}

void MqttConversation::detach(broker::OfflineReason reason) {
  machine_.close();
  self_.reset();  // a sign-in under way finds nobody
  if (client_ == nullptr || !client_->connected()) return;
  // How long ago the last packet came, on the clock of the wall.
  const base::WallMs last = services_->clock.wall_ms() - (transport_.loop().now_ms() - last_packet_ms_);
  client_->last_activity_ms = std::max(client_->last_activity_ms, last);  // never before it came online
  services_->broker.detach(*client_, reason);
}

std::string MqttConversation::who() const {
  const std::string address = transport_.peer().address.to_text();
  if (client_ == nullptr) return address;
  if (client_->info.kind == broker::ClientKind::kOperator) return "operator";
  return client_->info.device.product_key + "/" + client_->info.device.device_name + " (" + address + ")";
}

}  // namespace mooring::gateway
