// UNSUBSCRIBE and UNSUBACK: MQTT 3.1.1 and MQTT 5 sections 3.10 and 3.11.
#include <algorithm>

#include "base/assert.h"
#include "mqtt/byte_writer.h"
#include "mqtt/decode_filter.h"
#include "mqtt/encode.h"
#include "mqtt/fixed_header.h"
#include "mqtt/reason_code.h"

namespace mooring::mqtt {
namespace {

const char* find_fault(Version version, std::uint16_t packet_id, std::span<const std::string_view> filters,
                       std::size_t remaining_length) {
  if (packet_id == 0) return "packet identifier is 0";
  if (filters.empty()) return "no topic filter";
  if (remaining_length > kMaxRemainingLength) return "too many topic filters for a packet";
  for (const std::string_view filter : filters) {
    if (check_filter(version, filter) != nullptr) return "invalid topic filter";
  }
  return nullptr;
}

}  // namespace

base::Result<> append_unsubscribe(base::Bytes& out, Version version, std::uint16_t packet_id,
                                  std::span<const std::string_view> filters) {
  const bool is_v5 = version == Version::k5;
  std::size_t remaining_length = 2 + (is_v5 ? 1U : 0U);
  for (const std::string_view filter : filters) remaining_length += 2 + filter.size();
  if (const char* fault = find_fault(version, packet_id, filters, remaining_length)) {
    return base::fail(base::Errc::kInvalidArgument, fault);
  }
  append_fixed_header(out, PacketType::kUnsubscribe, 2, remaining_length);
  ByteWriter writer(out);
  writer.u16(packet_id);
  if (is_v5) writer.property_block({});
  for (const std::string_view filter : filters) writer.string(filter);
  return {};
}

void append_unsuback(base::Bytes& out, Version version, std::uint16_t packet_id, std::span<const std::uint8_t> codes) {
  MOORING_ASSERT(packet_id != 0);
  if (version != Version::k5) codes = {};
  MOORING_ASSERT(version != Version::k5 || !codes.empty());
  MOORING_ASSERT(std::all_of(codes.begin(), codes.end(), [](std::uint8_t code) {
    return is_reason_of(PacketType::kUnsuback, Sender::kServer, code);
  }));
  append_fixed_header(out, PacketType::kUnsuback, 0, 2 + (version == Version::k5 ? 1U : 0U) + codes.size());
  ByteWriter writer(out);
  writer.u16(packet_id);
  if (version == Version::k5) writer.property_block({});
  writer.raw(codes);
}

}  // namespace mooring::mqtt
