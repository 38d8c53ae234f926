// SUBACK: MQTT 3.1.1 section 3.9.
#include <algorithm>

#include "mqtt/byte_reader.h"
#include "mqtt/decode.h"
#include "mqtt/protocol_errors.h"

namespace mooring::mqtt {

Decoded<Suback> decode_suback(base::ByteView body) {
  ByteReader reader(body);
  Suback out;
  if (!reader.read_u16(out.packet_id)) return violation(errors::kTruncated);
  if (out.packet_id == 0) return violation(errors::kPacketId);
  out.codes = reader.rest();
  if (out.codes.empty()) return violation(errors::kTruncated);
  const auto is_known = [](std::uint8_t code) { return code <= kMaxQos || code == kSubackFailure; };
  if (!std::all_of(out.codes.begin(), out.codes.end(), is_known)) return violation(errors::kReturnCode);
  return out;
}

}  // namespace mooring::mqtt
