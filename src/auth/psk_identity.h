// TLS-PSK as the platform's C SDKs speak it: who the identity of a handshake is, and the key that belongs to it.
// Source: connection.md section 2.5.
//
//   identity   devicename|hmacsha256|${productKey}&${deviceName}|2524608000000
//   key        upper-case hexadecimal text of HMAC(method, deviceSecret, "id${pk}&${dn}timestamp${timestamp}")
//
// I/O-free, any thread, accepts every byte string.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "crypto/hmac.h"

namespace mooring::auth {

inline constexpr std::size_t kMaxPskIdentityBytes = 256;

// Borrows from the text that was parsed.
struct PskIdentity {
  base::DeviceKeyView device;
  crypto::HmacMethod method = crypto::HmacMethod::kSha256;
  std::string_view timestamp;
};

// Nothing for every other form.
std::optional<PskIdentity> parse_psk_identity(std::string_view text);

// The device that an identity names, whatever else is wrong with it: whose matter it is. Nothing: it names none.
std::optional<base::DeviceKeyView> device_of_psk_identity(std::string_view text);

// 32, 40 or 64 ASCII characters. A secret; do not log it.
std::string psk_key(const PskIdentity& identity, std::string_view device_secret);

}  // namespace mooring::auth
