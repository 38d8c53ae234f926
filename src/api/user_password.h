// What a password of somebody who signs in to the console must be like. Pure function, any thread.
#pragma once

#include <string_view>

#include "base/result.h"

namespace mooring::api {

inline constexpr std::size_t kUserPasswordCharactersMin = 10;
inline constexpr std::size_t kUserPasswordBytesMax = 1024;

base::Result<> check_user_password(std::string_view password);

}  // namespace mooring::api
