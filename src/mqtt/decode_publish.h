// What a PUBLISH has in every version, and with that the whole of one of MQTT 3.x. Inline, for it runs for every
// message. Everybody else: decode_publish() of decode.h.
#pragma once

#include <cstdint>

#include "mqtt/byte_reader.h"
#include "mqtt/decode.h"
#include "mqtt/protocol_errors.h"
#include "mqtt/topic.h"

namespace mooring::mqtt {

// Up to the packet identifier; `reader` is then behind it. Null if it is good so far; `out` has been made for this
// call.
inline const ProtocolError* decode_publish_head(Version version, std::uint8_t flags, ByteReader& reader, Publish& out) {
  out.retain = (flags & 1) != 0;
  out.qos = flags >> 1 & 3;
  out.dup = (flags & 8) != 0;
  if (out.qos > kMaxQos) return &errors::kQos3;
  // MQTT 3.1 gives DUP no meaning with QoS 0.
  if (out.dup && out.qos == 0) {
    if (version != Version::k31) return &errors::kDupQos0;
    out.dup = false;
  }
  if (!reader.read_string(out.topic)) return &errors::kTruncated;
  const bool may_be_empty = version == Version::k5;
  if (!is_valid_topic_name(out.topic) && !(may_be_empty && out.topic.empty())) {
    return is_valid_string(out.topic) ? &errors::kTopic : &errors::kString;
  }
  if (out.qos == 0) return nullptr;
  if (!reader.read_u16(out.packet_id)) return &errors::kTruncated;
  return out.packet_id == 0 ? &errors::kPacketId : nullptr;
}

// Of MQTT 3.x.
inline const ProtocolError* decode_publish3(Version version, std::uint8_t flags, base::ByteView body, Publish& out) {
  ByteReader reader(body);
  const ProtocolError* const error = decode_publish_head(version, flags, reader, out);
  out.payload = reader.rest();
  return error;
}

}  // namespace mooring::mqtt
