// SUBACK and UNSUBACK: MQTT 3.1.1 and MQTT 5 sections 3.9 and 3.11.
#include <algorithm>

#include "mqtt/byte_reader.h"
#include "mqtt/decode.h"
#include "mqtt/protocol_errors.h"
#include "mqtt/reason_code.h"

namespace mooring::mqtt {
namespace {

// Packet identifier and, in MQTT 5, properties.
const ProtocolError* read_head(Version version, PacketType type, ByteReader& reader, std::uint16_t& packet_id) {
  if (!reader.read_u16(packet_id)) return &errors::kTruncated;
  if (packet_id == 0) return &errors::kPacketId;
  if (version != Version::k5) return nullptr;
  base::ByteView properties;
  if (!reader.read_property_block(properties)) return &errors::kPropertyLength;
  return check_properties(properties, static_cast<PropertyPlace>(type), Sender::kServer);
}

const ProtocolError* check_codes(Version version, PacketType type, base::ByteView codes) {
  if (codes.empty()) return &errors::kTruncated;
  if (version == Version::k5) {
    const auto is_known = [&](std::uint8_t code) { return is_reason_of(type, Sender::kServer, code); };
    return std::all_of(codes.begin(), codes.end(), is_known) ? nullptr : &errors::kReasonCode;
  }
  const auto is_known = [](std::uint8_t code) { return code <= kMaxQos || code == kSubackFailure; };
  return std::all_of(codes.begin(), codes.end(), is_known) ? nullptr : &errors::kReturnCode;
}

}  // namespace

Decoded<Suback> decode_suback(Version version, base::ByteView body) {
  ByteReader reader(body);
  Suback out;
  if (const ProtocolError* error = read_head(version, PacketType::kSuback, reader, out.packet_id)) {
    return violation(*error);
  }
  out.codes = reader.rest();
  if (const ProtocolError* error = check_codes(version, PacketType::kSuback, out.codes)) return violation(*error);
  return out;
}

Decoded<Unsuback> decode_unsuback(Version version, base::ByteView body) {
  ByteReader reader(body);
  Unsuback out;
  if (const ProtocolError* error = read_head(version, PacketType::kUnsuback, reader, out.packet_id)) {
    return violation(*error);
  }
  if (version != Version::k5) {
    if (!reader.empty()) return violation(errors::kTrailingBytes);
    return out;
  }
  out.codes = reader.rest();
  if (const ProtocolError* error = check_codes(version, PacketType::kUnsuback, out.codes)) return violation(*error);
  return out;
}

}  // namespace mooring::mqtt
