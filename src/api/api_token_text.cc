#include "api/api_token_text.h"

#include <array>

#include "base/bytes.h"
#include "base/text.h"
#include "crypto/random.h"

namespace mooring::api {
namespace {

constexpr std::string_view kPrefix = "mooring_";
constexpr std::size_t kHeaderBytesMax = 2048;

bool is_alphanumeric(std::string_view text) {
  for (const char c : text) {
    if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))) return false;
  }
  return true;
}

// RFC 4648 section 4; padding may be missing.
std::optional<std::string> from_base64(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (text.size() % 4 == 1) return std::nullopt;
  std::string out;
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const std::size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = (bits << 6 | static_cast<std::uint32_t>(value)) & 0xFFFF;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out.push_back(static_cast<char>(bits >> held & 0xFF));
  }
  return out;
}

}  // namespace

TokenText make_token(base::Random& random) {
  return {crypto::random_alphanumeric(random, kTokenIdCharacters),
          crypto::random_alphanumeric(random, kTokenSecretCharacters)};
}

std::string to_text(const TokenText& token) {
  return std::string(kPrefix) + token.id + '_' + token.secret;
}

std::optional<TokenParts> parse_token(std::string_view text) {
  if (text.size() != kPrefix.size() + kTokenIdCharacters + 1 + kTokenSecretCharacters) return std::nullopt;
  if (!text.starts_with(kPrefix)) return std::nullopt;
  text.remove_prefix(kPrefix.size());
  const TokenParts parts{text.substr(0, kTokenIdCharacters), text.substr(kTokenIdCharacters + 1)};
  if (text[kTokenIdCharacters] != '_' || !is_alphanumeric(parts.id) || !is_alphanumeric(parts.secret)) {
    return std::nullopt;
  }
  return parts;
}

std::optional<Authorization> parse_authorization(std::string_view header) {
  if (header.size() > kHeaderBytesMax) return std::nullopt;
  header = base::trim(header);
  const std::size_t blank = header.find(' ');
  if (blank == std::string_view::npos) return std::nullopt;
  const std::string_view scheme = header.substr(0, blank);
  const std::string_view value = base::trim(header.substr(blank + 1));
  Authorization out;
  if (base::iequals(scheme, "Bearer")) {
    out.token = std::string(value);
    return out;
  }
  if (!base::iequals(scheme, "Basic")) return std::nullopt;
  out.scheme = Authorization::Scheme::kBasic;
  const auto pair = from_base64(value);
  const std::size_t colon = pair ? pair->find(':') : std::string::npos;
  if (colon == std::string::npos) return std::nullopt;
  out.name = pair->substr(0, colon);
  out.password = pair->substr(colon + 1);
  return out;
}

}  // namespace mooring::api
