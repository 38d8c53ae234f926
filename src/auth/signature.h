// What a device signs at CONNECT, and the password that results: for the server's check and for tools that act as a
// device. Source: connection.md section 4.3.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "crypto/hmac.h"

namespace mooring::auth {

struct SignedFields {
  std::string_view base_client_id;
  base::DeviceKeyView device;
  std::optional<std::string_view> timestamp;  // takes part if, and only if, it is sent
};

// HMAC of "clientId"..."deviceName"..."productKey"...["timestamp"...] under the device secret's text.
crypto::Mac sign_connect(crypto::HmacMethod method, std::string_view device_secret, const SignedFields& fields);

// The same as lower-case hexadecimal: the CONNECT password. A credential; do not log it.
std::string connect_password(crypto::HmacMethod method, std::string_view device_secret, const SignedFields& fields);

// The signed text itself, to show a user who debugs a signature; holds no secret.
std::string signed_content(const SignedFields& fields);

}  // namespace mooring::auth
