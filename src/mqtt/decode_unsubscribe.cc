// UNSUBSCRIBE: MQTT 3.1.1 section 3.10.
#include "mqtt/byte_reader.h"
#include "mqtt/decode.h"
#include "mqtt/protocol_errors.h"
#include "mqtt/topic.h"

namespace mooring::mqtt {

Decoded<Unsubscribe> decode_unsubscribe(base::ByteView body) {
  ByteReader reader(body);
  Unsubscribe out;
  if (!reader.read_u16(out.packet_id)) return violation(errors::kTruncated);
  if (out.packet_id == 0) return violation(errors::kPacketId);
  if (reader.empty()) return violation(errors::kNoFilters);

  const base::ByteView payload = reader.rest();
  std::size_t count = 0;
  for (; !reader.empty(); ++count) {
    std::string_view filter;
    if (!reader.read_string(filter)) return violation(errors::kTruncated);
    if (!is_valid_filter(filter)) return violation(is_valid_string(filter) ? errors::kFilter : errors::kString);
  }
  out.filters = PayloadList<std::string_view>(payload, count);
  return out;
}

}  // namespace mooring::mqtt
