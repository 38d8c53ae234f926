// What a connection notes in the flight record of its client.
#include "gateway/mqtt_conversation.h"
#include "mqtt/fixed_header.h"

namespace mooring::gateway {
namespace {

using journal::Direction;

constexpr std::uint8_t publish_byte(bool dup, std::uint8_t qos, bool retain) {
  return static_cast<std::uint8_t>(0x30 | (dup ? 8 : 0) | qos << 1 | (retain ? 1 : 0));
}

std::string address_text(const std::string& host, std::uint16_t port) {
  const bool six = host.find(':') != std::string::npos;
  return (six ? '[' + host + "]:" : host + ':') + std::to_string(port);
}

}  // namespace

void MqttConversation::open_flight(base::ByteView connack) {
  if (client_->info.kind == broker::ClientKind::kOperator) return;
  flight_ = services_->flights.open(
      client_->is_device()
          ? journal::FlightRecorder::key_of_device(client_->device().product_key, client_->device().device_name)
          : journal::FlightRecorder::key_of_account(client_->account(), connect_->client_id));
  if (flight_ == nullptr) return;
  const auto level = static_cast<unsigned>(connect_->version);
  note(Direction::kIn, 0x10, connect_->connect_bytes, connect_->keep_alive_s,
       static_cast<std::uint8_t>(level | (connect_->clean_session ? 0x80U : 0U)), connect_->client_id,
       base::as_bytes(address_text(std::string(client_->peer_address()), transport_.peer().address.port())));
  note_sent(connack, 0, 0);
}

void MqttConversation::note(Direction direction, std::uint8_t first_byte, std::size_t body_bytes,
                            std::uint16_t packet_id, std::uint8_t result, std::string_view topic,
                            base::ByteView payload) {
  if (flight_ == nullptr) return;
  flight_->note({direction, first_byte, static_cast<std::uint32_t>(body_bytes), packet_id, result, topic, payload},
                services_->event_loop.now_ms());
}

void MqttConversation::note_received(std::uint8_t first_byte, std::uint16_t packet_id, std::uint8_t result,
                                     std::string_view topic) {
  note(Direction::kIn, first_byte, machine_.body_bytes(), packet_id, result, topic);
}

void MqttConversation::note_sent(base::ByteView packet, std::uint16_t packet_id, std::uint8_t result) {
  if (flight_ == nullptr) return;
  std::size_t body_bytes = packet[1];  // of nearly all
  if (body_bytes >= 0x80) {
    mqtt::FixedHeader header;
    mqtt::read_fixed_header(packet, header);
    body_bytes = header.remaining_length;
  }
  note(Direction::kOut, packet[0], body_bytes, packet_id, result);
}

void MqttConversation::note_ping() {
  if (flight_ != nullptr) flight_->note_ping(services_->event_loop.now_ms());
}

// For every message: straight into the record, where the rest is known.
void MqttConversation::note_publish(const mqtt::Publish& packet) {
  if (flight_ == nullptr) return;
  flight_->note({Direction::kIn, publish_byte(packet.dup, packet.qos, packet.retain), machine_.body_bytes(),
                 packet.packet_id, 0, packet.topic, services_->flights.payload_to_note(packet.topic, packet.payload)},
                services_->event_loop.now_ms());
}

void MqttConversation::note_publish(const broker::PublishOut& packet, std::size_t body_bytes) {
  if (flight_ == nullptr) return;
  const mqtt::Message& message = *packet.message;
  flight_->note(
      {Direction::kOut, publish_byte(packet.dup, packet.qos, packet.retain), static_cast<std::uint32_t>(body_bytes),
       packet.packet_id, 0, message.topic(), services_->flights.payload_to_note(message.topic(), message.payload())},
      services_->event_loop.now_ms());
}

void MqttConversation::note_ack(mqtt::PacketType type, const mqtt::Ack& packet) {
  if (flight_ == nullptr) return;
  const unsigned flags = type == mqtt::PacketType::kPubrel ? 2 : 0;
  flight_->note({Direction::kIn,
                 static_cast<std::uint8_t>(static_cast<unsigned>(type) << 4 | flags),
                 machine_.body_bytes(),
                 packet.packet_id,
                 static_cast<std::uint8_t>(packet.reason),
                 {},
                 {}},
                services_->event_loop.now_ms());
}

void MqttConversation::note_ack(const mqtt::SmallPacket& packet, std::uint16_t packet_id, mqtt::ReasonCode reason) {
  if (flight_ == nullptr) return;
  flight_->note(
      {Direction::kOut, packet.bytes[0], packet.bytes[1], packet_id, static_cast<std::uint8_t>(reason), {}, {}},
      services_->event_loop.now_ms());
}

// Once for a connection, and in order: a newer connection of the same client writes to the same record.
void MqttConversation::note_end() {
  if (end_noted_) return;
  end_noted_ = true;
  note(Direction::kEnd, 0, 0, 0, 0, end_text_);
}

}  // namespace mooring::gateway
