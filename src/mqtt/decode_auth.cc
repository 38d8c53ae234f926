// AUTH: MQTT 5 section 3.15.
#include "mqtt/byte_reader.h"
#include "mqtt/decode.h"
#include "mqtt/protocol_errors.h"
#include "mqtt/reason_code.h"

namespace mooring::mqtt {

Decoded<Auth> decode_auth(Sender sender, base::ByteView body) {
  ByteReader reader(body);
  Auth out;
  std::uint8_t code = 0;  // an empty packet means success, which is the server's to say
  if (!reader.empty() && !reader.read_u8(code)) return violation(errors::kTruncated);
  if (!is_reason_of(PacketType::kAuth, sender, code)) return violation(errors::kReasonCode);
  out.reason = static_cast<ReasonCode>(code);
  if (body.empty()) return out;

  base::ByteView properties;
  if (!reader.empty() && !reader.read_property_block(properties)) return violation(errors::kPropertyLength);
  if (!reader.empty()) return violation(errors::kTrailingBytes);
  PropertyCheck check(properties, PropertyPlace::kAuth, sender);
  for (Property property; check.next(property);) {
    if (property.id == PropertyId::kAuthenticationMethod) out.authentication_method = property.text;
    if (property.id == PropertyId::kAuthenticationData) out.authentication_data = property.binary;
    if (property.id == PropertyId::kReasonString) out.reason_string = property.text;
  }
  if (check.error() != nullptr) return violation(*check.error());
  // 3.15.2.1 lets success go without properties, 3.15.2.2.2 wants a method in every AUTH: the first is read as the
  // exception to the second.
  if (!out.authentication_method && !(code == 0 && properties.empty())) {
    return violation(errors::kNoAuthenticationMethod);
  }
  return out;
}

}  // namespace mooring::mqtt
