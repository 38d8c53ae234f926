// KeyedHash: 64 bits of a few texts under a secret of this process (SipHash-2-4), for tables that strangers fill:
// nobody can aim a key at another one's place. Tens of nanoseconds; not a signature. Immutable, any thread.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "base/random.h"

namespace mooring::crypto {

class KeyedHash {
 public:
  explicit KeyedHash(base::Random& random);
  // Texts are told apart from each other by their lengths. Never 0.
  std::uint64_t operator()(std::initializer_list<std::string_view> texts) const;

 private:
  std::array<std::uint8_t, 16> key_{};
};

}  // namespace mooring::crypto
