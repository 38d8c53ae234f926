// CONNACK: MQTT 3.1.1 section 3.2, MQTT 3.1 section 3.2, MQTT 5 section 3.2.
#include "mqtt/byte_reader.h"
#include "mqtt/decode.h"
#include "mqtt/protocol_errors.h"
#include "mqtt/reason_code.h"

namespace mooring::mqtt {
namespace {

Decoded<Connack> decode_v3(Version version, std::uint8_t flags, std::uint8_t code, const ByteReader& rest) {
  if (!rest.empty()) return violation(errors::kTrailingBytes);
  if (code > static_cast<std::uint8_t>(ConnackCode::kNotAuthorized)) return violation(errors::kReturnCode);
  if (version == Version::k31) flags = 0;  // MQTT 3.1: "reserved values, not used"
  if (flags > 1 || (flags == 1 && code != 0)) return violation(errors::kConnackFlags);
  Connack out;
  out.code = static_cast<ConnackCode>(code);
  out.session_present = flags == 1;
  return out;
}

void keep(const Property& property, ConnackProperties& out) {
  switch (property.id) {
    case PropertyId::kSessionExpiryInterval:
      out.session_expiry_s = property.number;
      break;
    case PropertyId::kReceiveMaximum:
      out.receive_maximum = static_cast<std::uint16_t>(property.number);
      break;
    case PropertyId::kMaximumQos:
      out.maximum_qos = static_cast<std::uint8_t>(property.number);
      break;
    case PropertyId::kRetainAvailable:
      out.retain_available = property.number != 0;
      break;
    case PropertyId::kMaximumPacketSize:
      out.maximum_packet_bytes = property.number;
      break;
    case PropertyId::kAssignedClientIdentifier:
      out.assigned_client_identifier = property.text;
      break;
    case PropertyId::kTopicAliasMaximum:
      out.topic_alias_maximum = static_cast<std::uint16_t>(property.number);
      break;
    case PropertyId::kReasonString:
      out.reason_string = property.text;
      break;
    case PropertyId::kWildcardSubscriptionAvailable:
      out.wildcard_subscription_available = property.number != 0;
      break;
    case PropertyId::kSubscriptionIdentifierAvailable:
      out.subscription_identifiers_available = property.number != 0;
      break;
    case PropertyId::kSharedSubscriptionAvailable:
      out.shared_subscription_available = property.number != 0;
      break;
    case PropertyId::kServerKeepAlive:
      out.server_keep_alive_s = static_cast<std::uint16_t>(property.number);
      break;
    case PropertyId::kResponseInformation:
      out.response_information = property.text;
      break;
    case PropertyId::kServerReference:
      out.server_reference = property.text;
      break;
    case PropertyId::kAuthenticationMethod:
      out.authentication_method = property.text;
      break;
    case PropertyId::kAuthenticationData:
      out.authentication_data = property.binary;
      break;
    default:
      break;
  }
}

Decoded<Connack> decode_v5(std::uint8_t flags, std::uint8_t code, ByteReader& reader) {
  Connack out;
  // A server that knows MQTT 3.x only refuses in its own form.
  if (reader.empty() && code == static_cast<std::uint8_t>(ConnackCode::kUnacceptableProtocolVersion)) {
    out.code = ConnackCode::kUnacceptableProtocolVersion;
    out.reason = ReasonCode::kUnsupportedProtocolVersion;
    return out;
  }
  if (!is_reason_of(PacketType::kConnack, Sender::kServer, code)) return violation(errors::kReasonCode);
  if (flags > 1 || (flags == 1 && code != 0)) return violation(errors::kConnackFlags);
  out.reason = static_cast<ReasonCode>(code);
  out.session_present = flags == 1;
  base::ByteView properties;
  if (!reader.read_property_block(properties)) return violation(errors::kPropertyLength);
  if (!reader.empty()) return violation(errors::kTrailingBytes);
  PropertyCheck check(properties, PropertyPlace::kConnack, Sender::kServer);
  for (Property property; check.next(property);) keep(property, out.properties);
  if (check.error() != nullptr) return violation(*check.error());
  if (out.properties.authentication_data.data() != nullptr && !out.properties.authentication_method) {
    return violation(errors::kAuthenticationData);
  }
  return out;
}

}  // namespace

Decoded<Connack> decode_connack(Version version, base::ByteView body) {
  ByteReader reader(body);
  std::uint8_t flags = 0;
  std::uint8_t code = 0;
  if (!reader.read_u8(flags) || !reader.read_u8(code)) return violation(errors::kTruncated);
  return version == Version::k5 ? decode_v5(flags, code, reader) : decode_v3(version, flags, code, reader);
}

}  // namespace mooring::mqtt
