// The decoders, one per packet type and one file each (decode_*.cc). They get what follows the fixed header, whole, and
// give the packet or the violation that was found first. Nothing is copied or allocated.
//
// The connection classes call them; use those. Version::k5 is a broken invariant here until MQTT 5 is spoken.
#pragma once

#include <cstdint>
#include <tl/expected.hpp>

#include "base/bytes.h"
#include "mqtt/packet.h"

namespace mooring::mqtt {

// The error points to static storage (protocol_errors.h).
template <class T>
using Decoded = tl::expected<T, const ProtocolError*>;

inline tl::unexpected<const ProtocolError*> violation(const ProtocolError& error) {
  return tl::unexpected<const ProtocolError*>(&error);
}

// UTF-8 without U+0000 (MQTT-1.5.3-1, -2).
bool is_valid_string(std::string_view text);

Decoded<Connect> decode_connect(base::ByteView body);
Decoded<Publish> decode_publish(Version version, std::uint8_t flags, base::ByteView body);
// PUBACK, PUBREC, PUBREL, PUBCOMP and UNSUBACK: a packet identifier and nothing else.
Decoded<std::uint16_t> decode_packet_id(base::ByteView body);
Decoded<Subscribe> decode_subscribe(Version version, base::ByteView body);
Decoded<Unsubscribe> decode_unsubscribe(base::ByteView body);
Decoded<Connack> decode_connack(Version version, base::ByteView body);
Decoded<Suback> decode_suback(base::ByteView body);

}  // namespace mooring::mqtt
