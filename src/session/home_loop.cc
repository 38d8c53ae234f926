#include <algorithm>
#include "base/assert.h"

#include "session/ports.h"

namespace mooring::session {
namespace {

// FNV-1a of 64 bits. Its lowest bits are its weakest, so the upper half is folded in before a remainder is taken.
class Fnv1a {
 public:
  Fnv1a& add(std::string_view text) {
    for (const char c : text) state_ = (state_ ^ static_cast<std::uint8_t>(c)) * 0x100000001b3ULL;
    return *this;
  }
  LoopId fold(LoopId loops) const {
    MOORING_ASSERT(loops > 0);
    return static_cast<LoopId>((state_ ^ state_ >> 32) % loops);
  }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325ULL;
};

}  // namespace

LoopId home_loop(std::string_view identity, LoopId loops) {
  return Fnv1a().add(identity).fold(loops);
}

LoopId device_home_loop(std::string_view product_key, std::string_view device_name, LoopId loops) {
  return Fnv1a().add(product_key).add(std::string_view("\0", 1)).add(device_name).fold(loops);
}

std::string_view identity_of(std::string_view key) {
  if (key.size() < 2) return key;
  const std::string_view rest = key.substr(2);
  const std::size_t end = rest.find('\0');
  if (end == std::string_view::npos) return rest;
  if (key.front() == 'a') return rest.substr(std::min(rest.size(), end + 5));  // without the account's life
  if (key.front() != 'd') return rest.substr(end + 1);
  return rest.substr(0, rest.find('\0', end + 1));  // without the device's life
}

}  // namespace mooring::session
