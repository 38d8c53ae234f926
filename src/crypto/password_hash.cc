#include "crypto/password_hash.h"

#include <sodium.h>

#include <array>

#include "base/assert.h"
#include "crypto/random.h"

namespace mooring::crypto {
namespace {

// libsodium picks its implementations for this processor; calling it again does nothing.
void prepare() {
  MOORING_ASSERT(sodium_init() >= 0);
}

}  // namespace

base::Result<std::string> hash_password(std::string_view password) {
  prepare();
  std::array<char, crypto_pwhash_STRBYTES> text{};
  if (crypto_pwhash_str(text.data(), password.data(), password.size(), kPasswordPasses, kPasswordMemoryBytes) != 0) {
    return base::fail(base::Errc::kUnavailable, "there is not enough memory to hash a password");
  }
  return std::string(text.data());
}

bool verify_password(const std::string& hash, std::string_view password) {
  prepare();
  return crypto_pwhash_str_verify(hash.c_str(), password.data(), password.size()) == 0;
}

bool needs_rehash(const std::string& hash) {
  prepare();
  return crypto_pwhash_str_needs_rehash(hash.c_str(), kPasswordPasses, kPasswordMemoryBytes) != 0;
}

const std::string& nobodys_password_hash() {
  static const std::string hash = [] {
    auto made = hash_password(random_alphanumeric(system_random(), 32));
    return made ? std::move(*made) : std::string();
  }();
  return hash;
}

}  // namespace mooring::crypto
