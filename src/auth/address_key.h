// What addresses count as, where tries of strangers are counted. Pure function, any thread.
#pragma once

#include <array>
#include <string_view>

namespace mooring::auth {

// The first half of an IPv6 address, which one customer owns as a whole; mapped IPv4 as IPv4; other text as it is. It
// points into `storage` or into `address`.
std::string_view address_key(std::string_view address, std::array<char, 16>& storage);

}  // namespace mooring::auth
