// PUBLISH: MQTT 3.1.1 section 3.3, MQTT 3.1 section 3.3, MQTT 5 section 3.3.
#include "mqtt/decode_publish.h"

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
  if (version != Version::k5) return decode_publish3(version, flags, body, out);
  ByteReader reader(body);
  if (const ProtocolError* error = decode_publish_head(version, flags, reader, out)) return error;
  if (const ProtocolError* error = read_properties(reader, sender, out, topic_alias)) return error;
  out.payload = reader.rest();
  return nullptr;
}

}  // namespace mooring::mqtt
