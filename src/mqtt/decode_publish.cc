// PUBLISH: MQTT 3.1.1 section 3.3, MQTT 3.1 section 3.3, MQTT 5 section 3.3.
#include "mqtt/byte_reader.h"
#include "mqtt/decode.h"
#include "mqtt/protocol_errors.h"
#include "mqtt/topic.h"

namespace mooring::mqtt {
namespace {

const ProtocolError* read_properties(ByteReader& reader, Sender sender, Publish& out, std::uint16_t& topic_alias) {
  if (!reader.read_property_block(out.properties)) return &errors::kPropertyLength;
  PropertyCheck check(out.properties, PropertyPlace::kPublish, sender);
  for (Property property; check.next(property);) {
    switch (property.id) {
      case PropertyId::kPayloadFormatIndicator:
        out.payload_format = static_cast<std::uint8_t>(property.number);
        break;
      case PropertyId::kMessageExpiryInterval:
        out.message_expiry_s = property.number;
        break;
      case PropertyId::kResponseTopic:
        out.response_topic = property.text;
        break;
      case PropertyId::kTopicAlias:
        topic_alias = static_cast<std::uint16_t>(property.number);
        break;
      case PropertyId::kUserProperty:
        if (out.user_property_count < 255) ++out.user_property_count;
        break;
      default:
        break;
    }
  }
  if (check.error() != nullptr) return check.error();
  return out.topic.empty() && topic_alias == 0 ? &errors::kNoTopic : nullptr;
}

}  // namespace

const ProtocolError* decode_publish(Version version, Sender sender, std::uint8_t flags, base::ByteView body,
                                    Publish& out, std::uint16_t& topic_alias) {
  out.retain = (flags & 1) != 0;
  out.qos = flags >> 1 & 3;
  out.dup = (flags & 8) != 0;
  if (out.qos > kMaxQos) return &errors::kQos3;
  // MQTT 3.1 gives DUP no meaning with QoS 0.
  if (out.dup && out.qos == 0) {
    if (version != Version::k31) return &errors::kDupQos0;
    out.dup = false;
  }

  ByteReader reader(body);
  if (!reader.read_string(out.topic)) return &errors::kTruncated;
  const bool may_be_empty = version == Version::k5;
  if (!is_valid_topic_name(out.topic) && !(may_be_empty && out.topic.empty())) {
    return is_valid_string(out.topic) ? &errors::kTopic : &errors::kString;
  }
  if (out.qos > 0) {
    if (!reader.read_u16(out.packet_id)) return &errors::kTruncated;
    if (out.packet_id == 0) return &errors::kPacketId;
  }
  if (version == Version::k5) {
    if (const ProtocolError* error = read_properties(reader, sender, out, topic_alias)) return error;
  }
  out.payload = reader.rest();
  return nullptr;
}

}  // namespace mooring::mqtt
