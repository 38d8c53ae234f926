// The one piece of cryptography in the opening handshake. Private to this module.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"

namespace mooring::ws {

std::string to_base64(base::ByteView bytes);

// The value of Sec-WebSocket-Accept that proves the key was read: RFC 6455 section 4.2.2, item 5.4.
std::string accept_key_for(std::string_view key);

}  // namespace mooring::ws
