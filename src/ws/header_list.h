// Reading HTTP header fields that may be repeated and hold comma lists (RFC 9110 section 5.3). Private to this module.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "ws/handshake.h"

namespace mooring::ws {

using Headers = std::span<const HeaderField>;

std::size_t count_headers(Headers headers, std::string_view name);

// The first value of that name without blanks around it; empty when there is none.
std::string_view first_value(Headers headers, std::string_view name);

// Takes the first element off a comma list, without blanks around it; elements may be empty. Nothing at the end.
std::optional<std::string_view> take_element(std::optional<std::string_view>& list);

// Whether any header of that name lists `token`; case does not matter.
bool lists_token(Headers headers, std::string_view name, std::string_view token);

}  // namespace mooring::ws
