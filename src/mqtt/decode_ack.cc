// PUBACK, PUBREC, PUBREL, PUBCOMP: MQTT 3.1.1 and MQTT 5 sections 3.4 to 3.7.
#include "mqtt/byte_reader.h"
#include "mqtt/decode.h"
#include "mqtt/protocol_errors.h"
#include "mqtt/reason_code.h"

namespace mooring::mqtt {

Decoded<Ack> decode_ack(Version version, PacketType type, base::ByteView body) {
  ByteReader reader(body);
  Ack out;
  if (!reader.read_u16(out.packet_id)) return violation(errors::kTruncated);
  if (out.packet_id == 0) return violation(errors::kPacketId);
  if (reader.empty()) return out;
  if (version != Version::k5) return violation(errors::kTrailingBytes);

  std::uint8_t code = 0;
  if (!reader.read_u8(code) || !is_reason_of(type, Sender::kClient, code)) return violation(errors::kReasonCode);
  out.reason = static_cast<ReasonCode>(code);
  if (reader.empty()) return out;
  base::ByteView properties;
  if (!reader.read_property_block(properties)) return violation(errors::kPropertyLength);
  if (!reader.empty()) return violation(errors::kTrailingBytes);
  const auto place = static_cast<PropertyPlace>(type);
  if (const ProtocolError* error = check_properties(properties, place, Sender::kClient)) return violation(*error);
  return out;
}

}  // namespace mooring::mqtt
