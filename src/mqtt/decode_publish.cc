// PUBLISH: MQTT 3.1.1 section 3.3, MQTT 3.1 section 3.3.
#include "base/assert.h"
#include "mqtt/byte_reader.h"
#include "mqtt/decode.h"
#include "mqtt/protocol_errors.h"
#include "mqtt/topic.h"

namespace mooring::mqtt {

Decoded<Publish> decode_publish(Version version, std::uint8_t flags, base::ByteView body) {
  MOORING_ASSERT(version != Version::k5);
  Publish out;
  out.retain = (flags & 1) != 0;
  out.qos = flags >> 1 & 3;
  out.dup = (flags & 8) != 0;
  if (out.qos > kMaxQos) return violation(errors::kQos3);
  // MQTT 3.1 gives DUP no meaning with QoS 0.
  if (out.dup && out.qos == 0) {
    if (version != Version::k31) return violation(errors::kDupQos0);
    out.dup = false;
  }

  ByteReader reader(body);
  if (!reader.read_string(out.topic)) return violation(errors::kTruncated);
  if (!is_valid_topic_name(out.topic)) {
    return violation(is_valid_string(out.topic) ? errors::kTopic : errors::kString);
  }
  if (out.qos > 0) {
    if (!reader.read_u16(out.packet_id)) return violation(errors::kTruncated);
    if (out.packet_id == 0) return violation(errors::kPacketId);
  }
  out.payload = reader.rest();
  return out;
}

}  // namespace mooring::mqtt
