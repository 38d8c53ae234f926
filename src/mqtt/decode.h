// The decoders, one per packet type and one file each (decode_*.cc). They get what follows the fixed header, whole, and
// give the packet or the violation that was found first. Nothing is copied or allocated.
//
// The connection classes call them; use those.
#pragma once

#include <cstdint>
#include <tl/expected.hpp>

#include "base/bytes.h"
#include "mqtt/packet.h"
#include "mqtt/property_block.h"

namespace mooring::mqtt {

// The error points to static storage (protocol_errors.h).
template <class T>
using Decoded = tl::expected<T, const ProtocolError*>;

inline tl::unexpected<const ProtocolError*> violation(const ProtocolError& error) {
  return tl::unexpected<const ProtocolError*>(&error);
}

// UTF-8 without U+0000 (MQTT-1.5.3-1, -2).
bool is_valid_string(std::string_view text);

// `version` is set as soon as name and level are read and known, also when an error follows.
Decoded<Connect> decode_connect(base::ByteView body, Version& version);
// `topic_alias`: 0 if there is none; with one the topic may be empty. The packet that comes most often is decoded into
// its place, because moving it there would cost as much as reading it. Null if it is good; `out` and `topic_alias` have
// been made for this call.
const ProtocolError* decode_publish(Version version, Sender sender, std::uint8_t flags, base::ByteView body,
                                    Publish& out, std::uint16_t& topic_alias);
// PUBACK, PUBREC, PUBREL and PUBCOMP.
Decoded<Ack> decode_ack(Version version, PacketType type, base::ByteView body);
Decoded<Subscribe> decode_subscribe(Version version, base::ByteView body);
Decoded<Unsubscribe> decode_unsubscribe(Version version, base::ByteView body);
Decoded<Disconnect> decode_disconnect(Version version, Sender sender, base::ByteView body);
Decoded<Auth> decode_auth(Sender sender, base::ByteView body);  // MQTT 5
Decoded<Connack> decode_connack(Version version, base::ByteView body);
Decoded<Suback> decode_suback(Version version, base::ByteView body);
Decoded<Unsuback> decode_unsuback(Version version, base::ByteView body);

}  // namespace mooring::mqtt
