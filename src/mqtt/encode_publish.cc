// PUBLISH: MQTT 3.1.1 section 3.3.
#include <algorithm>

#include "base/assert.h"
#include "mqtt/byte_writer.h"
#include "mqtt/encode.h"
#include "mqtt/fixed_header.h"
#include "mqtt/topic.h"

namespace mooring::mqtt {
namespace {

const char* find_fault(const Publish& packet) {
  if (!is_valid_topic_name(packet.topic)) return "topic is empty, too long, not UTF-8 or has a wildcard";
  if (!PublishLayout::fits(packet.topic.size(), packet.payload.size())) return "payload is too long for a packet";
  if (packet.qos > kMaxQos) return "QoS is not 0, 1 or 2";
  if ((packet.qos > 0) != (packet.packet_id != 0)) return "a packet identifier is needed with QoS 1 and 2 only";
  if (packet.dup && packet.qos == 0) return "DUP with QoS 0";
  return nullptr;
}

}  // namespace

PublishLayout::PublishLayout(std::size_t topic_bytes, std::size_t payload_bytes)
    : topic_part_bytes_(static_cast<std::uint32_t>(2 + topic_bytes)),
      payload_bytes_(static_cast<std::uint32_t>(payload_bytes)) {
  MOORING_ASSERT(fits(topic_bytes, payload_bytes));
}

bool PublishLayout::fits(std::size_t topic_bytes, std::size_t payload_bytes) {
  if (topic_bytes == 0 || topic_bytes > kMaxStringBytes) return false;
  return payload_bytes <= kMaxRemainingLength - 2 - topic_bytes - 2;
}

void PublishLayout::write_block(base::MutableBytes block, std::string_view topic, base::ByteView payload) const {
  MOORING_ASSERT(block.size() == block_bytes());
  MOORING_ASSERT(topic.size() + 2 == topic_part_bytes_ && payload.size() == payload_bytes_);
  block[0] = static_cast<std::uint8_t>(topic.size() >> 8);
  block[1] = static_cast<std::uint8_t>(topic.size() & 0xFF);
  const auto behind_topic = std::copy(topic.begin(), topic.end(), block.begin() + 2);
  std::copy(payload.begin(), payload.end(), behind_topic);
}

SmallPacket PublishLayout::header(std::uint8_t qos, bool dup, bool retain) const {
  MOORING_ASSERT(qos <= kMaxQos && !(dup && qos == 0));
  const unsigned flags = (dup ? 8U : 0U) | static_cast<unsigned>(qos) << 1 | (retain ? 1U : 0U);
  SmallPacket out;
  out.size = static_cast<std::uint8_t>(write_fixed_header(out.bytes.data(), PacketType::kPublish,
                                                          static_cast<std::uint8_t>(flags), remaining_length(qos)));
  return out;
}

std::size_t PublishLayout::packet_bytes(std::uint8_t qos) const {
  return header(qos, false, false).size + remaining_length(qos);
}

SmallPacket encode_packet_id(std::uint16_t packet_id) {
  MOORING_ASSERT(packet_id != 0);
  return {{static_cast<std::uint8_t>(packet_id >> 8), static_cast<std::uint8_t>(packet_id & 0xFF)}, 2};
}

base::Result<> append_publish(base::Bytes& out, Version version, const Publish& packet) {
  MOORING_ASSERT(version != Version::k5);
  if (const char* fault = find_fault(packet)) return base::fail(base::Errc::kInvalidArgument, fault);
  const PublishLayout layout(packet.topic.size(), packet.payload.size());
  out.reserve(out.size() + layout.packet_bytes(packet.qos));
  ByteWriter writer(out);
  writer.raw(layout.header(packet.qos, packet.dup, packet.retain).view());
  writer.string(packet.topic);
  if (packet.qos > 0) writer.u16(packet.packet_id);
  writer.raw(packet.payload);
  return {};
}

}  // namespace mooring::mqtt
