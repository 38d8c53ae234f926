// PUBLISH: MQTT 3.1.1 and MQTT 5 section 3.3.
#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "mqtt/byte_writer.h"
#include "mqtt/encode.h"
#include "mqtt/encode_properties.h"
#include "mqtt/fixed_header.h"
#include "mqtt/topic.h"
#include "mqtt/variable_integer.h"

namespace mooring::mqtt {
namespace {

constexpr const char* kBadTopic = "topic is empty, too long, not UTF-8 or has a wildcard";

const char* find_fault(const Publish& packet) {
  if (packet.qos > kMaxQos) return "QoS is not 0, 1 or 2";
  if ((packet.qos > 0) != (packet.packet_id != 0)) return "a packet identifier is needed with QoS 1 and 2 only";
  if (packet.dup && packet.qos == 0) return "DUP with QoS 0";
  return nullptr;
}

// Fills in the block of MQTT 5; null, or what is wrong.
const char* make_properties(const Publish& packet, base::Bytes& out) {
  if (packet.response_topic.size() > kMaxStringBytes) return "response topic is too long";
  if (const char* fault = find_property_fault(packet.properties, PropertyPlace::kPublish, Sender::kServer))
    return fault;
  PropertyWriter writer;
  writer.number_unless(0, PropertyId::kPayloadFormatIndicator, packet.payload_format);
  writer.optional_number(PropertyId::kMessageExpiryInterval, packet.message_expiry_s);
  writer.text_unless_empty(PropertyId::kResponseTopic, packet.response_topic);
  writer.rest_of(packet.properties);
  out = writer.take();
  return find_property_fault(out, PropertyPlace::kPublish, Sender::kServer);
}

base::Result<> append_publish5(base::Bytes& out, const Publish& packet) {
  base::Bytes properties;
  if (const char* fault = make_properties(packet, properties)) return base::fail(base::Errc::kInvalidArgument, fault);
  const bool may_be_empty = packet.topic.empty() && find_property(properties, PropertyId::kTopicAlias).has_value();
  if (!may_be_empty && !is_valid_topic_name(packet.topic)) return base::fail(base::Errc::kInvalidArgument, kBadTopic);
  const std::size_t remaining_length = 2 + packet.topic.size() + (packet.qos > 0 ? 2U : 0U) +
                                       variable_integer_bytes(properties.size()) + properties.size() +
                                       packet.payload.size();
  if (remaining_length > kMaxRemainingLength) {
    return base::fail(base::Errc::kInvalidArgument, "payload is too long for a packet");
  }
  out.reserve(out.size() + kMaxFixedHeaderBytes + remaining_length);
  append_fixed_header(out, PacketType::kPublish, publish_flags(packet.qos, packet.dup, packet.retain),
                      remaining_length);
  ByteWriter writer(out);
  writer.string(packet.topic);
  if (packet.qos > 0) writer.u16(packet.packet_id);
  writer.property_block(properties);
  writer.raw(packet.payload);
  return {};
}

}  // namespace

void PublishLayout::write_block(base::MutableBytes block, std::string_view topic, base::ByteView payload) const {
  MOORING_ASSERT(block.size() == block_bytes());
  MOORING_ASSERT(topic.size() + 2 == topic_part_bytes_ && payload.size() == payload_bytes_);
  block[0] = static_cast<std::uint8_t>(topic.size() >> 8);
  block[1] = static_cast<std::uint8_t>(topic.size() & 0xFF);
  const auto behind_topic = std::copy(topic.begin(), topic.end(), block.begin() + 2);
  std::copy(payload.begin(), payload.end(), behind_topic);
}

SmallPacket PublishLayout::header(std::uint8_t qos, bool dup, bool retain) const {
  const std::uint8_t flags = publish_flags(qos, dup, retain);
  SmallPacket out;
  out.size = static_cast<std::uint8_t>(
      write_fixed_header(out.bytes.data(), PacketType::kPublish, flags, remaining_length(qos)));
  return out;
}

SmallPacket encode_packet_id(std::uint16_t packet_id) {
  MOORING_ASSERT(packet_id != 0);
  return {{static_cast<std::uint8_t>(packet_id >> 8), static_cast<std::uint8_t>(packet_id & 0xFF)}, 2};
}

Publish5Head::Publish5Head(const Message& message, std::uint8_t qos, bool dup, bool retain, std::uint16_t packet_id,
                           const PublishExtras& extras)
    : message_(message), extras_(extras), packet_id_(packet_id), flags_(publish_flags(qos, dup, retain)) {
  MOORING_ASSERT((qos > 0) == (packet_id != 0) && !(extras.topic_omitted && extras.topic_alias == 0));
  property_bytes_ = message.properties().size();
  if (extras.message_expiry_s) property_bytes_ += 5;
  if (extras.topic_alias != 0) property_bytes_ += 3;
  for (const std::uint32_t id : extras.subscription_ids) {
    MOORING_ASSERT(id != 0);
    property_bytes_ += 1 + variable_integer_bytes(id);
  }
  const std::size_t topic_bytes = extras.topic_omitted ? 2 : message.wire_topic().size();
  const std::size_t head_bytes =
      topic_bytes + (qos > 0 ? 2U : 0U) + variable_integer_bytes(property_bytes_) + property_bytes_;
  remaining_length_ = head_bytes + message.payload().size();
  head_bytes_ = 1 + variable_integer_bytes(remaining_length_) + head_bytes;
}

void Publish5Head::write(std::uint8_t* out) const {
  const std::uint8_t* const begin = out;
  const auto put = [&](base::ByteView bytes) {
    if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
    out += bytes.size();
  };
  const auto put_big_endian = [&](std::uint32_t value, unsigned bytes) {
    for (unsigned i = bytes; i > 0; --i) *out++ = static_cast<std::uint8_t>(value >> (8 * (i - 1)));
  };
  const auto put_id = [&](PropertyId id) { *out++ = static_cast<std::uint8_t>(id); };

  out += write_fixed_header(out, PacketType::kPublish, flags_, remaining_length_);
  if (extras_.topic_omitted) {
    put_big_endian(0, 2);
  } else {
    put(message_.wire_topic());
  }
  if (packet_id_ != 0) put_big_endian(packet_id_, 2);
  out += write_variable_integer(out, property_bytes_);
  if (extras_.message_expiry_s) {
    put_id(PropertyId::kMessageExpiryInterval);
    put_big_endian(*extras_.message_expiry_s, 4);
  }
  if (extras_.topic_alias != 0) {
    put_id(PropertyId::kTopicAlias);
    put_big_endian(extras_.topic_alias, 2);
  }
  put(message_.properties());
  for (const std::uint32_t id : extras_.subscription_ids) {
    put_id(PropertyId::kSubscriptionIdentifier);
    out += write_variable_integer(out, id);
  }
  MOORING_ASSERT(static_cast<std::size_t>(out - begin) == head_bytes_);
}

base::Result<> append_publish(base::Bytes& out, Version version, const Publish& packet) {
  if (const char* fault = find_fault(packet)) return base::fail(base::Errc::kInvalidArgument, fault);
  if (version == Version::k5) return append_publish5(out, packet);
  if (!is_valid_topic_name(packet.topic)) return base::fail(base::Errc::kInvalidArgument, kBadTopic);
  if (!PublishLayout::fits(packet.topic.size(), packet.payload.size())) {
    return base::fail(base::Errc::kInvalidArgument, "payload is too long for a packet");
  }
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
