// PUBACK, PINGREQ, PINGRESP, DISCONNECT: MQTT 3.1.1 sections 3.4 and 3.12 to 3.14.
#include "base/assert.h"
#include "mqtt/encode.h"

namespace mooring::mqtt {

// MQTT 5 uses the same four bytes for success without properties.
SmallPacket encode_puback(Version, std::uint16_t packet_id) {
  MOORING_ASSERT(packet_id != 0);
  return {{0x40, 0x02, static_cast<std::uint8_t>(packet_id >> 8), static_cast<std::uint8_t>(packet_id & 0xFF)}, 4};
}

SmallPacket encode_pingreq() {
  return {{0xC0, 0x00}, 2};
}

SmallPacket encode_pingresp() {
  return {{0xD0, 0x00}, 2};
}

// MQTT 5 uses the same two bytes for a normal end.
SmallPacket encode_disconnect(Version) {
  return {{0xE0, 0x00}, 2};
}

}  // namespace mooring::mqtt
