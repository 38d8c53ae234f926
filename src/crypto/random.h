// Unpredictable bytes and the identifiers made of them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/random.h"

namespace mooring::crypto {

// libcrypto's generator, seeded by the system. Thread-safe; ends the process if the system has no randomness to give,
// because going on would hand out predictable secrets.
class SystemRandom final : public base::Random {
 public:
  void fill(base::MutableBytes out) override;
};

// One for the whole program, lives for ever.
SystemRandom& system_random();

// `count` characters out of `alphabet` (2 to 256 different bytes), each equally likely.
std::string random_text(base::Random& random, std::size_t count, std::string_view alphabet);
std::string random_alphanumeric(base::Random& random, std::size_t count);  // A-Z a-z 0-9

// In the shapes the platform issues (connection.md section 1).
std::string make_product_key(base::Random& random);     // 11 characters, "a1..."
std::string make_product_secret(base::Random& random);  // 16 letters and digits
std::string make_device_secret(base::Random& random);   // 32 lower-case hexadecimal digits
std::string make_iot_id(base::Random& random);          // 30 letters and digits

}  // namespace mooring::crypto
