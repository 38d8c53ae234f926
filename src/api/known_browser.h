// What a browser keeps of a successful sign-in, so that guesses by others do not keep its user out: a text that only
// this server can have made, of one user, with an end. It opens nothing by itself. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"

namespace mooring::api {

inline constexpr std::uint32_t kKnownBrowserForS = 90 * 86'400;

// `key` is a secret of the installation.
std::string make_known_browser(std::string_view key, std::string_view user, base::WallMs now_ms, base::Random& random);
// What tells this browser from others of the user; empty: the text was not made for that user, or is too old.
std::string known_browser(std::string_view key, std::string_view user, std::string_view text, base::WallMs now_ms);

}  // namespace mooring::api
