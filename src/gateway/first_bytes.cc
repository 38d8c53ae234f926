#include "gateway/first_bytes.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace mooring::gateway {

FirstBytes classify_first_bytes(base::ByteView input) {
  static constexpr std::array<std::string_view, 7> kMethods{"GET ",   "POST ",   "HEAD ",   "PUT ",
                                                            "PATCH ", "DELETE ", "OPTIONS "};
  if (input.empty()) return FirstBytes::kMore;
  if (input[0] == 0x16) return FirstBytes::kTls;   // handshake record, RFC 8446 section 5.1
  if (input[0] == 0x10) return FirstBytes::kMqtt;  // CONNECT with flags 0, MQTT 3.1.1 section 3.1.1
  const std::string_view text = base::as_text(input);
  for (const std::string_view method : kMethods) {
    const std::size_t compared = std::min(text.size(), method.size());
    if (text.substr(0, compared) != method.substr(0, compared)) continue;
    return compared == method.size() ? FirstBytes::kHttp : FirstBytes::kMore;
  }
  return FirstBytes::kUnknown;
}

}  // namespace mooring::gateway
