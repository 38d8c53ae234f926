// What a device signs to register, and the check of it: connection.md section 10, the same over MQTT and HTTPS.
// Whether the device may register then is the registry's to say, in one transaction with what it issues.
//
// I/O-free, any thread. An unknown product and a wrong signature cost the same work.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "crypto/hmac.h"

namespace mooring::auth {

enum class RefusalReason : std::uint8_t;

inline constexpr std::size_t kRandomBytesMax = 256;

// Holds the code the device sent: not for the log.
struct RegistrationRequest {
  base::DeviceKey device;
  bool with_token = false;  // regnwl: without having been made before; issues clientId and token
  std::string random;
  crypto::HmacMethod method = crypto::HmacMethod::kMd5;
  crypto::Mac mac;  // size 0 when it is not hexadecimal of the right length
};

// HMAC of "deviceName"..."productKey"..."random"... under the product secret's text.
crypto::Mac sign_registration(crypto::HmacMethod method, std::string_view product_secret,
                              const base::DeviceKeyView& device, std::string_view random);

// Nothing: the request comes from somebody who knows the product's secret. `product_secret`: nothing when there is no
// such product.
std::optional<RefusalReason> check_registration(const RegistrationRequest& request,
                                                std::optional<std::string_view> product_secret);

// Hexadecimal of exactly the method's length, either case; anything else leaves the size at 0, which no code equals.
crypto::Mac decode_mac(std::string_view text, crypto::HmacMethod method);

}  // namespace mooring::auth
