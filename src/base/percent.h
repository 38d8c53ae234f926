// Percent-encoding (RFC 3986 section 2.1) of path segments, query values and forms. Pure functions, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooring::base {

// All but letters, digits and "-_.~", which mean the same either way.
std::string percent_encoded(std::string_view text);

// "%2F" becomes "/"; nothing when it is broken. In a form and in a query '+' stands for a blank.
std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_blank);

// "a=1&b=%20" as names and values, decoded, in their order and as often as they come; nothing when one is broken. As
// many as the text has room for, so the caller bounds the text.
std::optional<std::vector<std::pair<std::string, std::string>>> query_pairs(std::string_view text);

}  // namespace mooring::base
