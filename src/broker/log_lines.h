// A client in a tight loop of something forbidden must not fill the log.
#pragma once

#include <cstdint>

namespace mooring::broker {

// The first ones are told, then every 1,000th.
constexpr bool worth_a_line(std::uint64_t count) {
  return count <= 5 || count % 1000 == 0;
}

}  // namespace mooring::broker
