// CONNECT: MQTT 3.1.1 section 3.1, MQTT 3.1 section 3.1, MQTT 5 section 3.1.
#include "base/text.h"
#include "mqtt/byte_reader.h"
#include "mqtt/decode.h"
#include "mqtt/protocol_errors.h"
#include "mqtt/topic.h"

namespace mooring::mqtt {
namespace {

constexpr std::uint8_t kFlagReserved = 0x01;
constexpr std::uint8_t kFlagCleanSession = 0x02;
constexpr std::uint8_t kFlagWill = 0x04;
constexpr std::uint8_t kFlagWillRetain = 0x20;
constexpr std::uint8_t kFlagPassword = 0x40;
constexpr std::uint8_t kFlagUsername = 0x80;

std::uint8_t will_qos(std::uint8_t flags) {
  return flags >> 3 & 3;
}

Decoded<Version> decode_version(ByteReader& reader) {
  std::string_view name;
  std::uint8_t level = 0;
  if (!reader.read_string(name)) return violation(errors::kTruncated);
  if (!is_valid_string(name)) return violation(errors::kString);
  if (!reader.read_u8(level)) return violation(errors::kTruncated);
  if (name == "MQTT" && level == 4) return Version::k311;
  if (name == "MQIsdp" && level == 3) return Version::k31;
  if (name == "MQTT" && level == 5) return Version::k5;
  // Brokers that bridge set the top bit of the level and try again without it when they are told code 1.
  if (name == "MQTT" || name == "MQIsdp") return violation(errors::kProtocolLevel);
  return violation(errors::kProtocolName);
}

// MQTT 3.1 calls the reserved bit unused, gives will QoS and retain no meaning without a will, and says nothing against
// a password alone; MQTT 5 allows it.
const ProtocolError* check_flags(Version version, std::uint8_t flags) {
  if ((flags & kFlagWill) != 0 && will_qos(flags) > kMaxQos) return &errors::kWillQos;
  if (version == Version::k31) return nullptr;
  if ((flags & kFlagReserved) != 0) return &errors::kReservedConnectFlag;
  if ((flags & kFlagWill) == 0 && (will_qos(flags) != 0 || (flags & kFlagWillRetain) != 0)) return &errors::kWillFlags;
  if (version == Version::k5) return nullptr;
  return (flags & kFlagPassword) != 0 && (flags & kFlagUsername) == 0 ? &errors::kPasswordAlone : nullptr;
}

void keep(const Property& property, Connect& out) {
  switch (property.id) {
    case PropertyId::kSessionExpiryInterval:
      out.session_expiry_s = property.number;
      break;
    case PropertyId::kReceiveMaximum:
      out.receive_maximum = static_cast<std::uint16_t>(property.number);
      break;
    case PropertyId::kMaximumPacketSize:
      out.maximum_packet_bytes = property.number;
      break;
    case PropertyId::kTopicAliasMaximum:
      out.topic_alias_maximum = static_cast<std::uint16_t>(property.number);
      break;
    case PropertyId::kRequestResponseInformation:
      out.request_response_information = property.number != 0;
      break;
    case PropertyId::kRequestProblemInformation:
      out.request_problem_information = property.number != 0;
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

const ProtocolError* read_properties(ByteReader& reader, Connect& out) {
  if (out.version != Version::k5) return nullptr;
  if (!reader.read_property_block(out.properties)) return &errors::kPropertyLength;
  PropertyCheck check(out.properties, PropertyPlace::kConnect, Sender::kClient);
  for (Property property; check.next(property);) keep(property, out);
  if (check.error() != nullptr) return check.error();
  // A view of no bytes that was read still points somewhere.
  const bool has_data = out.authentication_data.data() != nullptr;
  return has_data && !out.authentication_method ? &errors::kAuthenticationData : nullptr;
}

const ProtocolError* read_will_properties(ByteReader& reader, Will& out) {
  if (!reader.read_property_block(out.properties)) return &errors::kPropertyLength;
  PropertyCheck check(out.properties, PropertyPlace::kWill, Sender::kClient);
  for (Property property; check.next(property);) {
    if (property.id == PropertyId::kWillDelayInterval) out.delay_s = property.number;
    if (property.id == PropertyId::kMessageExpiryInterval) out.message_expiry_s = property.number;
  }
  return check.error();
}

const ProtocolError* decode_will(ByteReader& reader, std::uint8_t flags, Connect& out) {
  if ((flags & kFlagWill) == 0) return nullptr;
  Will& will = out.will.emplace();
  will.qos = will_qos(flags);
  will.retain = (flags & kFlagWillRetain) != 0;
  if (out.version == Version::k5) {
    if (const ProtocolError* error = read_will_properties(reader, will)) return error;
  }
  if (!reader.read_string(will.topic)) return &errors::kTruncated;
  if (!is_valid_string(will.topic)) return &errors::kString;
  if (!is_valid_topic_name(will.topic)) return &errors::kWillTopic;
  return reader.read_binary(will.payload) ? nullptr : &errors::kTruncated;
}

// MQTT 3.1: "the Remaining Length field from the fixed header takes precedence over the User Name flag", and likewise
// for the password: a field may be missing although its flag is set.
const ProtocolError* decode_credentials(ByteReader& reader, std::uint8_t flags, Connect& out) {
  const auto is_present = [&](std::uint8_t flag) {
    return (flags & flag) != 0 && !(out.version == Version::k31 && reader.empty());
  };
  if (is_present(kFlagUsername)) {
    if (!reader.read_string(out.username.emplace())) return &errors::kTruncated;
    if (!is_valid_string(*out.username)) return &errors::kString;
  }
  if (is_present(kFlagPassword) && !reader.read_binary(out.password.emplace())) return &errors::kTruncated;
  return nullptr;
}

}  // namespace

bool is_valid_string(std::string_view text) {
  return base::is_utf8(text) && text.find('\0') == std::string_view::npos;
}

Decoded<Connect> decode_connect(base::ByteView body, Version& version) {
  ByteReader reader(body);
  const Decoded<Version> announced = decode_version(reader);
  if (!announced) return violation(*announced.error());
  version = *announced;

  Connect out;
  out.body = body;
  out.version = version;
  std::uint8_t flags = 0;
  if (!reader.read_u8(flags)) return violation(errors::kTruncated);
  if (const ProtocolError* error = check_flags(out.version, flags)) return violation(*error);
  out.clean_session = (flags & kFlagCleanSession) != 0;
  if (!reader.read_u16(out.keep_alive_s)) return violation(errors::kTruncated);
  if (const ProtocolError* error = read_properties(reader, out)) return violation(*error);
  if (!reader.read_string(out.client_id)) return violation(errors::kTruncated);
  if (!is_valid_string(out.client_id)) return violation(errors::kString);
  if (const ProtocolError* error = decode_will(reader, flags, out)) return violation(*error);
  if (const ProtocolError* error = decode_credentials(reader, flags, out)) return violation(*error);
  if (!reader.empty()) return violation(errors::kTrailingBytes);
  return out;
}

}  // namespace mooring::mqtt
