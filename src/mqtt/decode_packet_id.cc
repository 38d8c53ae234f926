// PUBACK, PUBREC, PUBREL, PUBCOMP, UNSUBACK: MQTT 3.1.1 sections 3.4 to 3.7 and 3.11.
#include "mqtt/byte_reader.h"
#include "mqtt/decode.h"
#include "mqtt/protocol_errors.h"

namespace mooring::mqtt {

Decoded<std::uint16_t> decode_packet_id(base::ByteView body) {
  ByteReader reader(body);
  std::uint16_t packet_id = 0;
  if (!reader.read_u16(packet_id)) return violation(errors::kTruncated);
  if (!reader.empty()) return violation(errors::kTrailingBytes);
  if (packet_id == 0) return violation(errors::kPacketId);
  return packet_id;
}

}  // namespace mooring::mqtt
