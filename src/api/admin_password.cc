#include "api/admin_password.h"

#include <fmt/format.h>

#include "crypto/password_hash.h"

namespace mooring::api {

ApiResult<std::string> hash_of(const Password& password) {
  if (password.text().empty() || password.text().size() > kPasswordBytesMax) {
    return refuse(400, "invalid", fmt::format("the password must have 1 to {} bytes", kPasswordBytesMax));
  }
  auto hash = crypto::hash_password(password.text());
  if (!hash) return refuse(hash.error());
  return std::move(*hash);
}

}  // namespace mooring::api
