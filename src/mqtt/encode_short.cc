// PUBACK, PUBREC, PUBREL, PUBCOMP, PINGREQ, PINGRESP, DISCONNECT, AUTH: MQTT 3.1.1 sections 3.4 to 3.7 and 3.12
// to 3.14, MQTT 5 the same and 3.15.
#include "base/assert.h"
#include "mqtt/byte_writer.h"
#include "mqtt/encode.h"
#include "mqtt/encode_properties.h"
#include "mqtt/fixed_header.h"
#include "mqtt/reason_code.h"

namespace mooring::mqtt {
namespace {

bool is_reason_of_either(PacketType type, ReasonCode reason) {
  const auto code = static_cast<std::uint8_t>(reason);
  return is_reason_of(type, Sender::kClient, code) || is_reason_of(type, Sender::kServer, code);
}

// Reason and properties, with nothing before them.
void append_reason_packet(base::Bytes& out, PacketType type, ReasonCode reason, base::ByteView properties) {
  append_fixed_header(out, type, 0, 1 + variable_integer_bytes(properties.size()) + properties.size());
  ByteWriter writer(out);
  writer.u8(static_cast<std::uint8_t>(reason));
  writer.property_block(properties);
}

}  // namespace

SmallPacket with_reason(SmallPacket ack, PacketType type, ReasonCode reason) {
  MOORING_ASSERT(is_reason_of_either(type, reason));
  ack.bytes[1] = 0x03;
  ack.bytes[4] = static_cast<std::uint8_t>(reason);
  ack.size = 5;
  return ack;
}

SmallPacket encode_pingreq() {
  return {{0xC0, 0x00}, 2};
}

SmallPacket encode_pingresp() {
  return {{0xD0, 0x00}, 2};
}

SmallPacket encode_disconnect(Version version, ReasonCode reason) {
  if (version != Version::k5 || reason == ReasonCode::kSuccess) return {{0xE0, 0x00}, 2};
  MOORING_ASSERT(is_reason_of_either(PacketType::kDisconnect, reason));
  return {{0xE0, 0x01, static_cast<std::uint8_t>(reason)}, 3};
}

void append_disconnect(base::Bytes& out, ReasonCode reason, std::string_view reason_string,
                       std::optional<std::uint32_t> session_expiry_s) {
  MOORING_ASSERT(is_reason_of_either(PacketType::kDisconnect, reason));
  PropertyWriter writer;
  writer.optional_number(PropertyId::kSessionExpiryInterval, session_expiry_s);
  writer.text_unless_empty(PropertyId::kReasonString, reason_string);
  append_reason_packet(out, PacketType::kDisconnect, reason, writer.take());
}

void append_auth(base::Bytes& out, const Auth& packet) {
  MOORING_ASSERT(is_reason_of_either(PacketType::kAuth, packet.reason));
  MOORING_ASSERT(packet.authentication_method ||
                 (packet.reason == ReasonCode::kSuccess && packet.authentication_data.empty()));
  PropertyWriter writer;
  writer.authentication(packet.authentication_method, packet.authentication_data);
  // An AUTH without a method has no properties at all.
  if (packet.authentication_method) writer.text_unless_empty(PropertyId::kReasonString, packet.reason_string);
  append_reason_packet(out, PacketType::kAuth, packet.reason, writer.take());
}

}  // namespace mooring::mqtt
