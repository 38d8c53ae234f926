// The fields of a request: of a form (application/x-www-form-urlencoded) or of a JSON object. I/O-free, any thread.
#pragma once

#include <optional>
#include <string_view>

#include "auth/device_http.h"
#include "http/message.h"

namespace mooring::deviceapi {

inline constexpr std::size_t kFieldsMax = 32;

// By the Content-Type: JSON if it says so, else a form. Nothing: malformed, too many fields, or a value of JSON that is
// no text and no whole number.
std::optional<auth::HttpFields> read_fields(const http::Request& request);

std::optional<auth::HttpFields> read_form(std::string_view body);
std::optional<auth::HttpFields> read_json(std::string_view body);

}  // namespace mooring::deviceapi
