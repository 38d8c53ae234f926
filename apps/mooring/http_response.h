// Reading one HTTP response, for the commands that talk to the admin API. Boost.Beast stays in the .cc file.
#pragma once

#include <functional>

#include "api/admin_service.h"
#include "base/bytes.h"
#include "base/result.h"

namespace mooring::app {

// `read` gives the bytes that came, 0 at the end of the stream. At most 64 MiB; kUnavailable: none came, or no HTTP.
using ReadBytes = std::function<base::Result<std::size_t>(base::MutableBytes buffer)>;
base::Result<api::AdminResponse> read_http_response(const ReadBytes& read);

// The whole request. `authorization` may be empty.
std::string http_request(std::string_view method, std::string_view target, std::string_view host,
                         std::string_view authorization, std::string_view body);

}  // namespace mooring::app
