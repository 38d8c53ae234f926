#include "api/known_browser.h"

#include <fmt/format.h>

#include <charconv>

#include "base/text.h"
#include "crypto/hmac.h"
#include "crypto/random.h"

namespace mooring::api {
namespace {

constexpr std::size_t kNumberCharacters = 20;
constexpr std::size_t kTextBytesMax = 200;

std::string code_of(std::string_view key, std::string_view user, std::string_view body) {
  const crypto::Mac code = crypto::hmac(crypto::HmacMethod::kSha256, key, {"known browser\n", user, "\n", body});
  return base::to_hex(code.view());
}

}  // namespace

// "NUMBER.SECONDS.CODE"
std::string make_known_browser(std::string_view key, std::string_view user, base::WallMs now_ms, base::Random& random) {
  const std::string body = fmt::format("{}.{}", crypto::random_alphanumeric(random, kNumberCharacters),
                                       now_ms / 1000 + std::int64_t{kKnownBrowserForS});
  return body + '.' + code_of(key, user, body);
}

std::string known_browser(std::string_view key, std::string_view user, std::string_view text, base::WallMs now_ms) {
  const std::size_t end = text.rfind('.');
  const std::size_t middle = text.find('.');
  if (key.empty() || text.size() > kTextBytesMax || middle != kNumberCharacters || end == middle) return {};
  const std::string expected = code_of(key, user, text.substr(0, end));
  if (!crypto::constant_time_equal(base::as_bytes(text.substr(end + 1)), base::as_bytes(expected))) return {};
  std::int64_t until_s = 0;
  std::from_chars(text.data() + middle + 1, text.data() + end, until_s);
  return until_s > now_ms / 1000 ? std::string(text.substr(0, middle)) : std::string();
}

}  // namespace mooring::api
