// The text of an API token, "mooring_<id>_<secret>", and what an Authorization header holds. Pure functions, any
// thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"

namespace mooring::api {

inline constexpr std::size_t kTokenIdCharacters = 12;
inline constexpr std::size_t kTokenSecretCharacters = 40;  // 238 bits

struct TokenText {
  std::string id;
  std::string secret;
};
TokenText make_token(base::Random& random);
std::string to_text(const TokenText& token);
// Nothing when it has not the form of a token. Views into `text`.
struct TokenParts {
  std::string_view id;
  std::string_view secret;
};
std::optional<TokenParts> parse_token(std::string_view text);

// RFC 9110 section 11.6.2.
struct Authorization {
  enum class Scheme { kBearer, kBasic };
  Scheme scheme = Scheme::kBearer;
  std::string token;     // Bearer
  std::string name;      // Basic, RFC 7617
  std::string password;  // likewise
};
// Nothing: another scheme, or not well-formed.
std::optional<Authorization> parse_authorization(std::string_view header);

}  // namespace mooring::api
