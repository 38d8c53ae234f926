// SUBSCRIBE: MQTT 3.1.1 section 3.8, MQTT 3.1 section 3.8, MQTT 5 section 3.8.
#include "mqtt/byte_reader.h"
#include "mqtt/decode.h"
#include "mqtt/decode_filter.h"
#include "mqtt/protocol_errors.h"
#include "mqtt/topic.h"

namespace mooring::mqtt {
namespace {

constexpr std::uint8_t kQosBits = 0x03;
constexpr std::uint8_t kNoLocalBit = 0x04;
constexpr std::uint8_t kRetainHandlingBits = 0x30;
constexpr std::uint8_t kReservedBits = 0xC0;

// The bits that mean something. MQTT 3.1 leaves the upper six unused, MQTT 3.1.1 wants them to be 0.
std::uint8_t options_mask(Version version) {
  return version == Version::k5 ? static_cast<std::uint8_t>(~kReservedBits) : kQosBits;
}

const ProtocolError* check_options(Version version, std::string_view filter, std::uint8_t options) {
  if (version != Version::k5) {
    const unsigned qos = version == Version::k31 ? options & kQosBits : options;
    return qos > kMaxQos ? &errors::kRequestedQos : nullptr;
  }
  if ((options & kReservedBits) != 0) return &errors::kSubscriptionOptions;
  if ((options & kQosBits) > kMaxQos) return &errors::kRequestedQos;
  if ((options & kRetainHandlingBits) == kRetainHandlingBits) return &errors::kRetainHandling;
  return (options & kNoLocalBit) != 0 && is_shared_filter(filter) ? &errors::kSharedNoLocal : nullptr;
}

const ProtocolError* check_entry(Version version, ByteReader& reader) {
  std::string_view filter;
  std::uint8_t options = 0;
  if (!reader.read_string(filter)) return &errors::kTruncated;
  if (const ProtocolError* error = check_filter(version, filter)) return error;
  if (!reader.read_u8(options)) return &errors::kTruncated;
  return check_options(version, filter, options);
}

const ProtocolError* read_properties(ByteReader& reader, Subscribe& out) {
  base::ByteView properties;
  if (!reader.read_property_block(properties)) return &errors::kPropertyLength;
  PropertyCheck check(properties, PropertyPlace::kSubscribe, Sender::kClient);
  for (Property property; check.next(property);) {
    if (property.id == PropertyId::kSubscriptionIdentifier) out.subscription_id = property.number;
  }
  return check.error();
}

}  // namespace

Decoded<Subscribe> decode_subscribe(Version version, base::ByteView body) {
  ByteReader reader(body);
  Subscribe out;
  if (!reader.read_u16(out.packet_id)) return violation(errors::kTruncated);
  if (out.packet_id == 0) return violation(errors::kPacketId);
  if (version == Version::k5) {
    if (const ProtocolError* error = read_properties(reader, out)) return violation(*error);
  }
  if (reader.empty()) return violation(errors::kNoFilters);

  const base::ByteView payload = reader.rest();
  std::size_t count = 0;
  for (; !reader.empty(); ++count) {
    if (const ProtocolError* error = check_entry(version, reader)) return violation(*error);
  }
  out.entries = PayloadList<SubscribeEntry>(payload, count, options_mask(version));
  return out;
}

}  // namespace mooring::mqtt
