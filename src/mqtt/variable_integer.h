// Writing the variable byte integer: seven bits a byte, lowest first (MQTT 3.1.1 section 2.2.3, MQTT 5 section 1.5.5).
// Always the shortest form [MQTT-1.5.5-1]. ByteReader and fixed_header.h read it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "mqtt/packet.h"

namespace mooring::mqtt {

// One to four; four also for what cannot be written.
constexpr std::size_t variable_integer_bytes(std::size_t value) {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20'0000 ? 3 : 4;
}

// `value` is at most kMaxRemainingLength; `out` has room for four bytes. Returns how many were written.
inline std::size_t write_variable_integer(std::uint8_t* out, std::size_t value) {
  if (value < 0x80) {  // nearly all of them
    out[0] = static_cast<std::uint8_t>(value);
    return 1;
  }
  MOORING_ASSERT(value <= kMaxRemainingLength);
  std::size_t size = 0;
  do {
    const auto low = static_cast<std::uint8_t>(value & 0x7F);
    value >>= 7;
    out[size++] = value > 0 ? static_cast<std::uint8_t>(low | 0x80) : low;
  } while (value > 0);
  return size;
}

}  // namespace mooring::mqtt
