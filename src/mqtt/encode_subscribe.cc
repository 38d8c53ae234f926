// SUBSCRIBE and SUBACK: MQTT 3.1.1 and MQTT 5 sections 3.8 and 3.9.
#include <algorithm>

#include "base/assert.h"
#include "mqtt/byte_writer.h"
#include "mqtt/decode_filter.h"
#include "mqtt/encode.h"
#include "mqtt/fixed_header.h"
#include "mqtt/reason_code.h"

namespace mooring::mqtt {
namespace {

const char* find_fault(Version version, const SubscribeEntry& entry) {
  if (check_filter(version, entry.filter) != nullptr) return "invalid topic filter";
  if (entry.qos > kMaxQos) return "QoS is not 0, 1 or 2";
  if (version != Version::k5) return nullptr;
  if (static_cast<unsigned>(entry.retain_handling) > 2) return "retain handling is not 0, 1 or 2";
  return entry.no_local && is_shared_filter(entry.filter) ? "No Local on a shared subscription" : nullptr;
}

const char* find_fault(Version version, std::uint16_t packet_id, std::span<const SubscribeEntry> entries,
                       std::uint32_t subscription_id, std::size_t remaining_length) {
  if (packet_id == 0) return "packet identifier is 0";
  if (entries.empty()) return "no topic filter";
  if (subscription_id > kMaxRemainingLength) return "subscription identifier is above 268435455";
  if (remaining_length > kMaxRemainingLength) return "too many topic filters for a packet";
  for (const SubscribeEntry& entry : entries) {
    if (const char* fault = find_fault(version, entry)) return fault;
  }
  return nullptr;
}

std::uint8_t options_of(Version version, const SubscribeEntry& entry) {
  if (version != Version::k5) return entry.qos;
  const unsigned options = entry.qos | (entry.no_local ? 4U : 0U) | (entry.retain_as_published ? 8U : 0U) |
                           static_cast<unsigned>(entry.retain_handling) << 4;
  return static_cast<std::uint8_t>(options);
}

}  // namespace

base::Result<> append_subscribe(base::Bytes& out, Version version, std::uint16_t packet_id,
                                std::span<const SubscribeEntry> entries, std::uint32_t subscription_id) {
  const bool is_v5 = version == Version::k5;
  const std::size_t property_bytes = is_v5 && subscription_id != 0 ? 1 + variable_integer_bytes(subscription_id) : 0;
  std::size_t remaining_length = 2 + (is_v5 ? 1 + property_bytes : 0);
  for (const SubscribeEntry& entry : entries) remaining_length += 2 + entry.filter.size() + 1;
  if (const char* fault = find_fault(version, packet_id, entries, subscription_id, remaining_length)) {
    return base::fail(base::Errc::kInvalidArgument, fault);
  }
  append_fixed_header(out, PacketType::kSubscribe, 2, remaining_length);
  ByteWriter writer(out);
  writer.u16(packet_id);
  if (is_v5) writer.variable(property_bytes);
  if (property_bytes > 0) append_property(out, PropertyId::kSubscriptionIdentifier, subscription_id);
  for (const SubscribeEntry& entry : entries) {
    writer.string(entry.filter);
    writer.u8(options_of(version, entry));
  }
  return {};
}

void append_suback(base::Bytes& out, Version version, std::uint16_t packet_id, std::span<const std::uint8_t> codes) {
  MOORING_ASSERT(packet_id != 0 && !codes.empty());
  const bool is_v5 = version == Version::k5;
  MOORING_ASSERT(std::all_of(codes.begin(), codes.end(), [&](std::uint8_t code) {
    return is_v5 ? is_reason_of(PacketType::kSuback, Sender::kServer, code) : code <= kMaxQos || code == kSubackFailure;
  }));
  append_fixed_header(out, PacketType::kSuback, 0, 2 + (is_v5 ? 1U : 0U) + codes.size());
  ByteWriter writer(out);
  writer.u16(packet_id);
  if (is_v5) writer.property_block({});
  writer.raw(codes);
}

}  // namespace mooring::mqtt
