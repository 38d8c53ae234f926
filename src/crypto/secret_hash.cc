#include "crypto/secret_hash.h"

#include <array>

#include "base/bytes.h"
#include "base/text.h"
#include "crypto/hmac.h"

namespace mooring::crypto {
namespace {

constexpr std::size_t kTokenBytes = 16;

// `purpose` keeps these hashes apart from every other use of SHA-256.
std::string hash_for(std::string_view purpose, std::string_view secret) {
  return base::to_hex(hmac(HmacMethod::kSha256, purpose, {secret}).view());
}

}  // namespace

std::string hash_secret(std::string_view secret) {
  return hash_for("mooring secret", secret);
}

std::string token_hash(std::string_view token) {
  return hash_for("mooring token", token);
}

bool is_hash_of(std::string_view hash, std::string_view secret) {
  const std::string found = hash_secret(secret);
  const std::string nobodys(kSecretHashBytes, '-');  // no hexadecimal digit: equals no hash
  const std::string_view wanted = hash.size() == kSecretHashBytes ? hash : std::string_view(nobodys);
  return constant_time_equal(base::as_bytes(found), base::as_bytes(wanted));
}

std::string make_device_token(base::Random& random, base::WallMs now_ms) {
  std::array<std::uint8_t, kTokenBytes> bytes{};
  random.fill(bytes);
  return "^1^" + std::to_string(now_ms) + "^" + base::to_hex(bytes);
}

}  // namespace mooring::crypto
