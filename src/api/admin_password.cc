#include "api/admin_password.h"

#include <fmt/format.h>

#include "crypto/password_hash.h"
#include "crypto/random.h"

namespace mooring::api {
namespace {

constexpr std::size_t kMadeUpCharacters = 24;  // 142 bits: nobody has to remember it

}  // namespace

NewPassword::NewPassword(std::optional<std::string> given)
    : Password(given ? std::move(*given) : crypto::random_alphanumeric(crypto::system_random(), kMadeUpCharacters)),
      made_up_(!given.has_value()) {}

ApiResult<std::string> hash_of(const Password& password) {
  if (password.text().empty() || password.text().size() > kPasswordBytesMax) {
    return refuse(400, "invalid", fmt::format("the password must have 1 to {} bytes", kPasswordBytesMax));
  }
  auto hash = crypto::hash_password(password.text());
  if (!hash) return refuse(hash.error());
  return std::move(*hash);
}

}  // namespace mooring::api
