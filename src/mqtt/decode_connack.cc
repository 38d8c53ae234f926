// CONNACK: MQTT 3.1.1 section 3.2, MQTT 3.1 section 3.2.
#include "base/assert.h"
#include "mqtt/byte_reader.h"
#include "mqtt/decode.h"
#include "mqtt/protocol_errors.h"

namespace mooring::mqtt {

Decoded<Connack> decode_connack(Version version, base::ByteView body) {
  MOORING_ASSERT(version != Version::k5);
  ByteReader reader(body);
  std::uint8_t flags = 0;
  std::uint8_t code = 0;
  if (!reader.read_u8(flags) || !reader.read_u8(code)) return violation(errors::kTruncated);
  if (!reader.empty()) return violation(errors::kTrailingBytes);
  if (code > static_cast<std::uint8_t>(ConnackCode::kNotAuthorized)) return violation(errors::kReturnCode);
  if (version == Version::k31) flags = 0;  // MQTT 3.1: "reserved values, not used"
  if (flags > 1 || (flags == 1 && code != 0)) return violation(errors::kConnackFlags);
  return Connack{static_cast<ConnackCode>(code), flags == 1};
}

}  // namespace mooring::mqtt
