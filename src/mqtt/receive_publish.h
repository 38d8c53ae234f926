// A PUBLISH as the connection classes hand it out: decoded, and its topic alias resolved.
#pragma once

#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "mqtt/decode_publish.h"
#include "mqtt/topic_aliases.h"

namespace mooring::mqtt {

const ProtocolError* receive_publish5(Sender sender, std::uint8_t flags, base::ByteView body,
                                      std::uint16_t alias_maximum, std::unique_ptr<TopicAliases>& aliases,
                                      Publish& out);

// `flags` and `body` are those of the packet. An alias comes with a topic, which is remembered, or without one; then
// the topic remembered is filled in, and points into `aliases`. `aliases` is null until there is something to remember.
// Null if the packet is good; `out` has been made for this call.
inline const ProtocolError* receive_publish(Version version, Sender sender, std::uint8_t flags, base::ByteView body,
                                            std::uint16_t alias_maximum, std::unique_ptr<TopicAliases>& aliases,
                                            Publish& out) {
  if (version != Version::k5) return decode_publish3(version, flags, body, out);
  return receive_publish5(sender, flags, body, alias_maximum, aliases, out);
}

}  // namespace mooring::mqtt
