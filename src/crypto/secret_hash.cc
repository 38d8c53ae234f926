#include "crypto/secret_hash.h"

#include "base/bytes.h"
#include "base/text.h"
#include "crypto/hmac.h"

namespace mooring::crypto {
namespace {

// Keeps these hashes apart from every other use of SHA-256.
constexpr std::string_view kDomain = "mooring secret";

}  // namespace

std::string hash_secret(std::string_view secret) {
  return base::to_hex(hmac(HmacMethod::kSha256, kDomain, {secret}).view());
}

bool is_hash_of(std::string_view hash, std::string_view secret) {
  const std::string found = hash_secret(secret);
  const std::string nobodys(kSecretHashBytes, '-');  // no hexadecimal digit: equals no hash
  const std::string_view wanted = hash.size() == kSecretHashBytes ? hash : std::string_view(nobodys);
  return constant_time_equal(base::as_bytes(found), base::as_bytes(wanted));
}

}  // namespace mooring::crypto
