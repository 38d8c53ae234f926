// CONNECT: MQTT 3.1.1 section 3.1, MQTT 3.1 section 3.1, MQTT 5 section 3.1.
#include "mqtt/byte_writer.h"
#include "mqtt/decode.h"
#include "mqtt/encode.h"
#include "mqtt/encode_properties.h"
#include "mqtt/fixed_header.h"
#include "mqtt/topic.h"

namespace mooring::mqtt {
namespace {

bool is_encodable_string(std::string_view text) {
  return text.size() <= kMaxStringBytes && is_valid_string(text);
}

const char* find_fault(const Connect& packet) {
  if (!is_encodable_string(packet.client_id)) return "client identifier is too long or not UTF-8";
  if (packet.username && !is_encodable_string(*packet.username)) return "user name is too long or not UTF-8";
  if (packet.password && packet.password->size() > kMaxStringBytes) return "password is too long";
  if (packet.password && !packet.username && packet.version == Version::k311) return "password without user name";
  if (!packet.will) return nullptr;
  if (!is_valid_topic_name(packet.will->topic)) return "will topic is not a valid topic name";
  if (packet.will->payload.size() > kMaxStringBytes) return "will payload is too long";
  if (packet.will->qos > kMaxQos) return "will QoS is not 0, 1 or 2";
  return nullptr;
}

std::uint8_t connect_flags(const Connect& packet) {
  unsigned flags = packet.clean_session ? 0x02U : 0U;
  if (packet.will) flags |= 0x04U | static_cast<unsigned>(packet.will->qos) << 3 | (packet.will->retain ? 0x20U : 0U);
  if (packet.password) flags |= 0x40U;
  if (packet.username) flags |= 0x80U;
  return static_cast<std::uint8_t>(flags);
}

// The blocks of MQTT 5, without their lengths.
struct Properties {
  base::Bytes connect;
  base::Bytes will;
};

base::Bytes merge_properties(const Connect& packet) {
  using Id = PropertyId;
  PropertyWriter writer;
  writer.number_unless(0, Id::kSessionExpiryInterval, packet.session_expiry_s);
  writer.number_unless(65'535, Id::kReceiveMaximum, packet.receive_maximum);
  writer.number_unless(0, Id::kMaximumPacketSize, packet.maximum_packet_bytes);
  writer.number_unless(0, Id::kTopicAliasMaximum, packet.topic_alias_maximum);
  writer.number_unless(0, Id::kRequestResponseInformation, packet.request_response_information ? 1 : 0);
  writer.number_unless(1, Id::kRequestProblemInformation, packet.request_problem_information ? 1 : 0);
  writer.authentication(packet.authentication_method, packet.authentication_data);
  writer.rest_of(packet.properties);
  return writer.take();
}

base::Bytes merge_properties(const Will& will) {
  PropertyWriter writer;
  writer.number_unless(0, PropertyId::kWillDelayInterval, will.delay_s);
  writer.optional_number(PropertyId::kMessageExpiryInterval, will.message_expiry_s);
  writer.rest_of(will.properties);
  return writer.take();
}

// Fills in `out`; null, or what is wrong.
const char* make_properties(const Connect& packet, Properties& out) {
  if (packet.version != Version::k5) return nullptr;
  constexpr auto kConnect = PropertyPlace::kConnect;
  if (packet.authentication_method && !is_encodable_string(*packet.authentication_method)) {
    return "authentication method is too long or not UTF-8";
  }
  if (packet.authentication_data.size() > kMaxStringBytes) return "authentication data are too long";
  if (const char* fault = find_property_fault(packet.properties, kConnect, Sender::kClient)) return fault;
  out.connect = merge_properties(packet);
  if (const char* fault = find_property_fault(out.connect, kConnect, Sender::kClient)) return fault;
  const bool has_method = find_property(out.connect, PropertyId::kAuthenticationMethod).has_value();
  const bool has_data =
      !packet.authentication_data.empty() || find_property(out.connect, PropertyId::kAuthenticationData).has_value();
  if (has_data && !has_method) return "authentication data without authentication method";
  if (!packet.will) return nullptr;
  if (const char* fault = find_property_fault(packet.will->properties, PropertyPlace::kWill, Sender::kClient)) {
    return fault;
  }
  out.will = merge_properties(*packet.will);
  return nullptr;
}

std::size_t block_bytes(base::ByteView block) {
  return variable_integer_bytes(block.size()) + block.size();
}

std::size_t remaining_length(const Connect& packet, std::string_view protocol_name, const Properties& properties) {
  const bool is_v5 = packet.version == Version::k5;
  std::size_t size = 2 + protocol_name.size() + 4 + 2 + packet.client_id.size();
  if (is_v5) size += block_bytes(properties.connect);
  if (packet.will) size += 2 + packet.will->topic.size() + 2 + packet.will->payload.size();
  if (packet.will && is_v5) size += block_bytes(properties.will);
  if (packet.username) size += 2 + packet.username->size();
  if (packet.password) size += 2 + packet.password->size();
  return size;
}

}  // namespace

base::Result<> append_connect(base::Bytes& out, const Connect& packet) {
  if (const char* fault = find_fault(packet)) return base::fail(base::Errc::kInvalidArgument, fault);
  Properties properties;
  if (const char* fault = make_properties(packet, properties)) return base::fail(base::Errc::kInvalidArgument, fault);
  const bool is_v5 = packet.version == Version::k5;
  const std::string_view protocol_name = packet.version == Version::k31 ? "MQIsdp" : "MQTT";
  const std::size_t length = remaining_length(packet, protocol_name, properties);
  if (length > kMaxRemainingLength) return base::fail(base::Errc::kInvalidArgument, "properties are too long");
  append_fixed_header(out, PacketType::kConnect, 0, length);
  ByteWriter writer(out);
  writer.string(protocol_name);
  writer.u8(static_cast<std::uint8_t>(packet.version));
  writer.u8(connect_flags(packet));
  writer.u16(packet.keep_alive_s);
  if (is_v5) writer.property_block(properties.connect);
  writer.string(packet.client_id);
  if (packet.will) {
    if (is_v5) writer.property_block(properties.will);
    writer.string(packet.will->topic);
    writer.binary(packet.will->payload);
  }
  if (packet.username) writer.string(*packet.username);
  if (packet.password) writer.binary(*packet.password);
  return {};
}

}  // namespace mooring::mqtt
