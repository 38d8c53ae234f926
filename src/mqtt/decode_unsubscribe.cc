// UNSUBSCRIBE: MQTT 3.1.1 and MQTT 5 section 3.10.
#include "mqtt/byte_reader.h"
#include "mqtt/decode.h"
#include "mqtt/decode_filter.h"
#include "mqtt/protocol_errors.h"

namespace mooring::mqtt {

Decoded<Unsubscribe> decode_unsubscribe(Version version, base::ByteView body) {
  ByteReader reader(body);
  Unsubscribe out;
  if (!reader.read_u16(out.packet_id)) return violation(errors::kTruncated);
  if (out.packet_id == 0) return violation(errors::kPacketId);
  if (version == Version::k5) {
    base::ByteView properties;
    if (!reader.read_property_block(properties)) return violation(errors::kPropertyLength);
    const ProtocolError* error = check_properties(properties, PropertyPlace::kUnsubscribe, Sender::kClient);
    if (error != nullptr) return violation(*error);
  }
  if (reader.empty()) return violation(errors::kNoFilters);

  const base::ByteView payload = reader.rest();
  std::size_t count = 0;
  for (; !reader.empty(); ++count) {
    std::string_view filter;
    if (!reader.read_string(filter)) return violation(errors::kTruncated);
    if (const ProtocolError* error = check_filter(version, filter)) return violation(*error);
  }
  out.filters = PayloadList<std::string_view>(payload, count, 0);
  return out;
}

}  // namespace mooring::mqtt
