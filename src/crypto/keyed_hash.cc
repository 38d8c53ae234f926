#include "crypto/keyed_hash.h"

#include <sodium.h>

#include <cstring>
#include <string>

namespace mooring::crypto {

static_assert(crypto_shorthash_KEYBYTES == 16 && crypto_shorthash_BYTES == 8);

KeyedHash::KeyedHash(base::Random& random) {
  random.fill(key_);
}

std::uint64_t KeyedHash::operator()(std::initializer_list<std::string_view> texts) const {
  std::string joined;
  for (const std::string_view text : texts) {
    const auto size = static_cast<std::uint32_t>(text.size());
    joined.append(reinterpret_cast<const char*>(&size), sizeof size).append(text);
  }
  std::array<std::uint8_t, crypto_shorthash_BYTES> bytes{};
  crypto_shorthash(bytes.data(), reinterpret_cast<const unsigned char*>(joined.data()), joined.size(), key_.data());
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value == 0 ? 1 : value;
}

}  // namespace mooring::crypto
