// The query of a request's target. Pure function, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooring::api {

// "a=1&b=%20" as names and values, percent-decoded. Nothing: the encoding is broken.
std::optional<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query);

// For one segment of a path, or one value.
std::string percent_encoded(std::string_view text);

}  // namespace mooring::api
