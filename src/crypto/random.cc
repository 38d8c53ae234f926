#include "crypto/random.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "crypto/hmac.h"

namespace mooring::crypto {
namespace {

constexpr std::string_view kAlphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::string_view kHexadecimal = "0123456789abcdef";

}  // namespace

void SystemRandom::fill(base::MutableBytes out) {
  constexpr std::size_t kStep = 1U << 20;  // RAND_bytes counts in int
  while (!out.empty()) {
    const std::size_t size = std::min(out.size(), kStep);
    MOORING_ASSERT(RAND_bytes(out.data(), static_cast<int>(size)) == 1);
    out = out.subspan(size);
  }
}

SystemRandom& system_random() {
  static SystemRandom instance;
  return instance;
}

std::string random_text(base::Random& random, std::size_t count, std::string_view alphabet) {
  MOORING_ASSERT(alphabet.size() >= 2 && alphabet.size() <= 256);
  // Bytes at or above the largest multiple of the alphabet's size would favour its first characters.
  const std::size_t fair = 256 - 256 % alphabet.size();
  std::array<std::uint8_t, 64> bytes;
  std::string out;
  out.reserve(count);
  while (out.size() < count) {
    random.fill(bytes);
    for (const std::uint8_t byte : bytes) {
      if (byte < fair && out.size() < count) out.push_back(alphabet[byte % alphabet.size()]);
    }
  }
  cleanse(bytes);
  return out;
}

std::string random_alphanumeric(base::Random& random, std::size_t count) {
  return random_text(random, count, kAlphanumeric);
}

std::string make_product_key(base::Random& random) {
  return "a1" + random_alphanumeric(random, 9);
}
std::string make_product_secret(base::Random& random) {
  return random_alphanumeric(random, 16);
}
std::string make_device_secret(base::Random& random) {
  return random_text(random, 32, kHexadecimal);
}
std::string make_iot_id(base::Random& random) {
  return random_alphanumeric(random, 30);
}

}  // namespace mooring::crypto
