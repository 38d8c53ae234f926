// UNSUBSCRIBE and UNSUBACK: MQTT 3.1.1 sections 3.10 and 3.11.
#include "mqtt/byte_writer.h"
#include "mqtt/encode.h"
#include "mqtt/fixed_header.h"
#include "mqtt/topic.h"

namespace mooring::mqtt {
namespace {

const char* find_fault(std::uint16_t packet_id, std::span<const std::string_view> filters,
                       std::size_t remaining_length) {
  if (packet_id == 0) return "packet identifier is 0";
  if (filters.empty()) return "no topic filter";
  if (remaining_length > kMaxRemainingLength) return "too many topic filters for a packet";
  for (const std::string_view filter : filters) {
    if (!is_valid_filter(filter)) return "invalid topic filter";
  }
  return nullptr;
}

}  // namespace

base::Result<> append_unsubscribe(base::Bytes& out, Version version, std::uint16_t packet_id,
                                  std::span<const std::string_view> filters) {
  MOORING_ASSERT(version != Version::k5);
  std::size_t remaining_length = 2;
  for (const std::string_view filter : filters) remaining_length += 2 + filter.size();
  if (const char* fault = find_fault(packet_id, filters, remaining_length)) {
    return base::fail(base::Errc::kInvalidArgument, fault);
  }
  append_fixed_header(out, PacketType::kUnsubscribe, 2, remaining_length);
  ByteWriter writer(out);
  writer.u16(packet_id);
  for (const std::string_view filter : filters) writer.string(filter);
  return {};
}

SmallPacket encode_unsuback(Version version, std::uint16_t packet_id) {
  MOORING_ASSERT(version != Version::k5 && packet_id != 0);
  return {{0xB0, 0x02, static_cast<std::uint8_t>(packet_id >> 8), static_cast<std::uint8_t>(packet_id & 0xFF)}, 4};
}

}  // namespace mooring::mqtt
