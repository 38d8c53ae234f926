// CONNACK: MQTT 3.1.1 section 3.2, MQTT 3.1 section 3.2; the refusal of MQTT 5 section 3.2.
#include "base/assert.h"
#include "mqtt/encode.h"

namespace mooring::mqtt {

SmallPacket encode_connack(Version version, ConnackCode code, bool session_present) {
  MOORING_ASSERT(version != Version::k5);
  const bool present = session_present && code == ConnackCode::kAccepted && version != Version::k31;
  return {{0x20, 0x02, static_cast<std::uint8_t>(present ? 1 : 0), static_cast<std::uint8_t>(code)}, 4};
}

SmallPacket encode_v5_refusal(std::uint8_t reason_code) {
  MOORING_ASSERT(reason_code >= 0x80);
  return {{0x20, 0x03, 0x00, reason_code, 0x00}, 5};
}

}  // namespace mooring::mqtt
