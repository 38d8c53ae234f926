#include "api/user_password.h"

#include <fmt/format.h>

#include "base/text.h"

namespace mooring::api {

base::Result<> check_user_password(std::string_view password) {
  if (base::is_utf8(password) && base::utf8_length(password) >= kUserPasswordCharactersMin &&
      password.size() <= kUserPasswordBytesMax) {
    return {};
  }
  return base::fail(base::Errc::kInvalidArgument,
                    fmt::format("a password has at least {} characters and at most {} bytes",
                                kUserPasswordCharactersMin, kUserPasswordBytesMax));
}

}  // namespace mooring::api
