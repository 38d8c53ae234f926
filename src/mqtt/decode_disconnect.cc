// DISCONNECT: MQTT 3.1.1 and MQTT 5 section 3.14.
#include "mqtt/byte_reader.h"
#include "mqtt/decode.h"
#include "mqtt/protocol_errors.h"
#include "mqtt/reason_code.h"

namespace mooring::mqtt {

Decoded<Disconnect> decode_disconnect(Version version, Sender sender, base::ByteView body) {
  ByteReader reader(body);
  Disconnect out;
  if (reader.empty()) return out;
  if (version != Version::k5) return violation(errors::kPacketLength);

  std::uint8_t code = 0;
  if (!reader.read_u8(code) || !is_reason_of(PacketType::kDisconnect, sender, code)) {
    return violation(errors::kReasonCode);
  }
  out.reason = static_cast<ReasonCode>(code);
  if (reader.empty()) return out;
  base::ByteView properties;
  if (!reader.read_property_block(properties)) return violation(errors::kPropertyLength);
  if (!reader.empty()) return violation(errors::kTrailingBytes);
  PropertyCheck check(properties, PropertyPlace::kDisconnect, sender);
  for (Property property; check.next(property);) {
    if (property.id == PropertyId::kSessionExpiryInterval) out.session_expiry_s = property.number;
    if (property.id == PropertyId::kReasonString) out.reason_string = property.text;
    if (property.id == PropertyId::kServerReference) out.server_reference = property.text;
  }
  if (check.error() != nullptr) return violation(*check.error());
  return out;
}

}  // namespace mooring::mqtt
