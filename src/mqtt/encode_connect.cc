// CONNECT: MQTT 3.1.1 section 3.1, MQTT 3.1 section 3.1.
#include "mqtt/byte_writer.h"
#include "mqtt/decode.h"
#include "mqtt/encode.h"
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
  if (packet.password && !packet.username && packet.version != Version::k31) return "password without user name";
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

std::size_t remaining_length(const Connect& packet, std::string_view protocol_name) {
  std::size_t size = 2 + protocol_name.size() + 4 + 2 + packet.client_id.size();
  if (packet.will) size += 2 + packet.will->topic.size() + 2 + packet.will->payload.size();
  if (packet.username) size += 2 + packet.username->size();
  if (packet.password) size += 2 + packet.password->size();
  return size;
}

}  // namespace

base::Result<> append_connect(base::Bytes& out, const Connect& packet) {
  MOORING_ASSERT(packet.version != Version::k5);
  if (const char* fault = find_fault(packet)) return base::fail(base::Errc::kInvalidArgument, fault);
  const std::string_view protocol_name = packet.version == Version::k31 ? "MQIsdp" : "MQTT";
  append_fixed_header(out, PacketType::kConnect, 0, remaining_length(packet, protocol_name));
  ByteWriter writer(out);
  writer.string(protocol_name);
  writer.u8(static_cast<std::uint8_t>(packet.version));
  writer.u8(connect_flags(packet));
  writer.u16(packet.keep_alive_s);
  writer.string(packet.client_id);
  if (packet.will) {
    writer.string(packet.will->topic);
    writer.binary(packet.will->payload);
  }
  if (packet.username) writer.string(*packet.username);
  if (packet.password) writer.binary(*packet.password);
  return {};
}

}  // namespace mooring::mqtt
