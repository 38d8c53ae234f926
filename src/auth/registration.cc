#include "auth/registration.h"

#include <algorithm>

#include "auth/sign_in.h"
#include "base/text.h"

namespace mooring::auth {
namespace {
// Stands in for the secret of a product that does not exist. As long as a real one, so the work is the same.
constexpr std::string_view kNobodysSecret = "0000000000000000";
}  // namespace

crypto::Mac sign_registration(crypto::HmacMethod method, std::string_view product_secret,
                              const base::DeviceKeyView& device, std::string_view random) {
  return crypto::hmac(method, product_secret,
                      {"deviceName", device.device_name, "productKey", device.product_key, "random", random});
}

std::optional<RefusalReason> check_registration(const RegistrationRequest& request,
                                                std::optional<std::string_view> product_secret) {
  const crypto::Mac expected =
      sign_registration(request.method, product_secret.value_or(kNobodysSecret), request.device, request.random);
  const bool fits = crypto::constant_time_equal(expected.view(), request.mac.view());
  if (!product_secret) return RefusalReason::kRegistrationUnknownProduct;
  if (!fits) return RefusalReason::kRegistrationSignature;
  return std::nullopt;
}

crypto::Mac decode_mac(std::string_view text, crypto::HmacMethod method) {
  crypto::Mac mac;
  if (text.size() != 2 * crypto::size_bytes(method)) return mac;
  const auto bytes = base::from_hex(text);
  if (!bytes) return mac;
  std::copy(bytes->begin(), bytes->end(), mac.bytes.begin());
  mac.size_bytes = static_cast<std::uint8_t>(bytes->size());
  return mac;
}

}  // namespace mooring::auth
