// SUBSCRIBE and SUBACK: MQTT 3.1.1 sections 3.8 and 3.9.
#include "mqtt/byte_writer.h"
#include "mqtt/encode.h"
#include "mqtt/fixed_header.h"
#include "mqtt/topic.h"

namespace mooring::mqtt {
namespace {

const char* find_fault(std::uint16_t packet_id, std::span<const SubscribeEntry> entries, std::size_t remaining_length) {
  if (packet_id == 0) return "packet identifier is 0";
  if (entries.empty()) return "no topic filter";
  if (remaining_length > kMaxRemainingLength) return "too many topic filters for a packet";
  for (const SubscribeEntry& entry : entries) {
    if (!is_valid_filter(entry.filter)) return "invalid topic filter";
    if (entry.qos > kMaxQos) return "QoS is not 0, 1 or 2";
  }
  return nullptr;
}

}  // namespace

base::Result<> append_subscribe(base::Bytes& out, Version version, std::uint16_t packet_id,
                                std::span<const SubscribeEntry> entries) {
  MOORING_ASSERT(version != Version::k5);
  std::size_t remaining_length = 2;
  for (const SubscribeEntry& entry : entries) remaining_length += 2 + entry.filter.size() + 1;
  if (const char* fault = find_fault(packet_id, entries, remaining_length)) {
    return base::fail(base::Errc::kInvalidArgument, fault);
  }
  append_fixed_header(out, PacketType::kSubscribe, 2, remaining_length);
  ByteWriter writer(out);
  writer.u16(packet_id);
  for (const SubscribeEntry& entry : entries) {
    writer.string(entry.filter);
    writer.u8(entry.qos);
  }
  return {};
}

void append_suback(base::Bytes& out, Version version, std::uint16_t packet_id, std::span<const std::uint8_t> codes) {
  MOORING_ASSERT(version != Version::k5 && packet_id != 0 && !codes.empty());
  append_fixed_header(out, PacketType::kSuback, 0, 2 + codes.size());
  ByteWriter writer(out);
  writer.u16(packet_id);
  writer.raw(codes);
}

}  // namespace mooring::mqtt
