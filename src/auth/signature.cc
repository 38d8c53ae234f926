#include "auth/signature.h"

#include "base/text.h"

namespace mooring::auth {

crypto::Mac sign_connect(crypto::HmacMethod method, std::string_view device_secret, const SignedFields& fields) {
  return crypto::hmac(method, device_secret,
                      {"clientId", fields.base_client_id, "deviceName", fields.device.device_name, "productKey",
                       fields.device.product_key, fields.timestamp ? "timestamp" : "", fields.timestamp.value_or("")});
}

std::string connect_password(crypto::HmacMethod method, std::string_view device_secret, const SignedFields& fields) {
  return base::to_hex(sign_connect(method, device_secret, fields).view());
}

std::string signed_content(const SignedFields& fields) {
  std::string out = "clientId";
  out.append(fields.base_client_id).append("deviceName").append(fields.device.device_name);
  out.append("productKey").append(fields.device.product_key);
  if (fields.timestamp) out.append("timestamp").append(*fields.timestamp);
  return out;
}

}  // namespace mooring::auth
