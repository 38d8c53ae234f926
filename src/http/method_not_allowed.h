// 405 with the Allow that RFC 9110 section 15.5.6 demands. Pure function, any thread.
#pragma once

#include <string_view>

#include "http/message.h"

namespace mooring::http {

// `allow`: "GET, HEAD".
inline Response method_not_allowed(std::string_view allow) {
  Response response = error_response(405, "method_not_allowed", "this address does not take this method");
  response.fields.push_back({"Allow", std::string(allow)});
  return response;
}

}  // namespace mooring::http
