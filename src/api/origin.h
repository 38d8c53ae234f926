// What a browser sends as Origin (RFC 6454): scheme, host and port, and nothing else. Pure functions, any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace mooring::api {

// As browsers write it: lower case, without the scheme's own port, without a slash at the end. kInvalidArgument: no
// origin; "null" is none either, for every sandboxed page has that one.
base::Result<std::string> normalized_origin(std::string_view text);

}  // namespace mooring::api
