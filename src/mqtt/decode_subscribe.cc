// SUBSCRIBE: MQTT 3.1.1 section 3.8, MQTT 3.1 section 3.8.
#include "base/assert.h"
#include "mqtt/byte_reader.h"
#include "mqtt/decode.h"
#include "mqtt/protocol_errors.h"
#include "mqtt/topic.h"

namespace mooring::mqtt {
namespace {

const ProtocolError* check_entry(Version version, ByteReader& reader) {
  std::string_view filter;
  std::uint8_t qos = 0;
  if (!reader.read_string(filter)) return &errors::kTruncated;
  if (!is_valid_filter(filter)) return is_valid_string(filter) ? &errors::kFilter : &errors::kString;
  if (!reader.read_u8(qos)) return &errors::kTruncated;
  // MQTT 3.1 leaves the upper six bits unused.
  if ((version == Version::k31 ? qos & 3 : qos) > kMaxQos) return &errors::kRequestedQos;
  return nullptr;
}

}  // namespace

Decoded<Subscribe> decode_subscribe(Version version, base::ByteView body) {
  MOORING_ASSERT(version != Version::k5);
  ByteReader reader(body);
  Subscribe out;
  if (!reader.read_u16(out.packet_id)) return violation(errors::kTruncated);
  if (out.packet_id == 0) return violation(errors::kPacketId);
  if (reader.empty()) return violation(errors::kNoFilters);

  const base::ByteView payload = reader.rest();
  std::size_t count = 0;
  for (; !reader.empty(); ++count) {
    if (const ProtocolError* error = check_entry(version, reader)) return violation(*error);
  }
  out.entries = PayloadList<SubscribeEntry>(payload, count);
  return out;
}

}  // namespace mooring::mqtt
