// What a connection notes in the flight record of its client.
#include "gateway/mqtt_conversation.h"

namespace mooring::gateway {
namespace {

using journal::Direction;

// Behind the fixed header.
constexpr std::uint32_t publish_bytes(std::size_t topic, std::size_t payload, std::uint8_t qos,
                                      std::size_t properties) {
  return static_cast<std::uint32_t>(2 + topic + (qos > 0 ? 2 : 0) + properties + payload);
}

std::string address_text(const std::string& host, std::uint16_t port) {
  const bool six = host.find(':') != std::string::npos;
  return (six ? '[' + host + "]:" : host + ':') + std::to_string(port);
}

}  // namespace

void MqttConversation::open_flight(std::size_t connack_bytes, std::uint8_t connack_code) {
  const broker::ClientInfo& info = client_->info;
  if (info.kind == broker::ClientKind::kOperator) return;
  flight_ = services_->flights.open(
      info.kind == broker::ClientKind::kDevice
          ? journal::FlightRecorder::key_of_device(info.device.product_key, info.device.device_name)
          : journal::FlightRecorder::key_of_account(info.account, connect_->client_id));
  if (flight_ == nullptr) return;
  const auto level = static_cast<unsigned>(connect_->version);
  note(Direction::kIn, 0x10, connect_->connect_bytes, connect_->keep_alive_s,
       static_cast<std::uint8_t>(level | (connect_->clean_session ? 0x80U : 0U)), connect_->client_id,
       base::as_bytes(address_text(info.peer_address, transport_.peer().address.port())));
  note(Direction::kOut, 0x20, connack_bytes, 0, connack_code);
}

void MqttConversation::note(Direction direction, std::uint8_t first_byte, std::size_t bytes, std::uint16_t packet_id,
                            std::uint8_t result, std::string_view topic, base::ByteView payload) {
  if (flight_ == nullptr) return;
  flight_->note({direction, first_byte, static_cast<std::uint32_t>(bytes), packet_id, result, topic, payload},
                services_->event_loop.now_ms());
}

void MqttConversation::note_ping() {
  if (flight_ != nullptr) flight_->note_ping(services_->event_loop.now_ms());
}

void MqttConversation::note_publish(const mqtt::Publish& packet) {
  if (flight_ == nullptr) return;
  const auto first = static_cast<std::uint8_t>(0x30 | (packet.dup ? 8 : 0) | packet.qos << 1 | (packet.retain ? 1 : 0));
  const std::size_t length_bytes = packet.properties.size() < 128 ? 1 : 2;
  const std::size_t properties = speaks_v5() ? length_bytes + packet.properties.size() : 0;
  flight_->note(
      {Direction::kIn, first, publish_bytes(packet.topic.size(), packet.payload.size(), packet.qos, properties),
       packet.packet_id, 0, packet.topic, services_->flights.payload_to_note(packet.topic, packet.payload)},
      services_->event_loop.now_ms());
}

void MqttConversation::note_publish(const broker::PublishOut& packet, std::size_t properties_bytes) {
  if (flight_ == nullptr) return;
  const mqtt::Message& message = *packet.message;
  const auto first = static_cast<std::uint8_t>(0x30 | (packet.dup ? 8 : 0) | packet.qos << 1 | (packet.retain ? 1 : 0));
  const std::size_t properties = speaks_v5() ? properties_bytes + 1 : 0;
  flight_->note(
      {Direction::kOut, first, publish_bytes(message.topic().size(), message.payload().size(), packet.qos, properties),
       packet.packet_id, 0, message.topic(), services_->flights.payload_to_note(message.topic(), message.payload())},
      services_->event_loop.now_ms());
}

void MqttConversation::note_ack(mqtt::PacketType type, const mqtt::Ack& packet) {
  const unsigned flags = type == mqtt::PacketType::kPubrel ? 2 : 0;
  note(Direction::kIn, static_cast<std::uint8_t>(static_cast<unsigned>(type) << 4 | flags),
       speaks_v5() && packet.reason != mqtt::ReasonCode::kSuccess ? 5 : 4, packet.packet_id,
       static_cast<std::uint8_t>(packet.reason));
}

// Once for a connection, and in order: a newer connection of the same client writes to the same record.
void MqttConversation::note_end(std::string_view text) {
  if (end_noted_) return;
  end_noted_ = true;
  note(Direction::kEnd, 0, 0, 0, 0, text);
}

}  // namespace mooring::gateway
