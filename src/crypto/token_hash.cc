#include "crypto/token_hash.h"

#include "base/text.h"
#include "crypto/hmac.h"

namespace mooring::crypto {
namespace {

constexpr std::size_t kTokenBytes = 16;
// Keeps these hashes apart from any other use of the function.
constexpr std::string_view kPurpose = "mooring token";

}  // namespace

std::string make_device_token(base::Random& random, base::WallMs now_ms) {
  std::array<std::uint8_t, kTokenBytes> bytes{};
  random.fill(bytes);
  return "^1^" + std::to_string(now_ms) + "^" + base::to_hex(bytes);
}

std::string token_hash(std::string_view token) {
  return base::to_hex(hmac(HmacMethod::kSha256, kPurpose, {token}).view());
}

}  // namespace mooring::crypto
