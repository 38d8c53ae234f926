// The fixed header: packet type, flags and remaining length (MQTT 3.1.1 section 2.2).
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "mqtt/packet.h"
#include "mqtt/variable_integer.h"

namespace mooring::mqtt {

struct FixedHeader {
  PacketType type{};
  std::uint8_t flags = 0;  // the low four bits of the first byte
  bool shortest = true;    // the remaining length is written in as few bytes as possible
  std::size_t remaining_length = 0;
  std::size_t header_bytes = 0;  // two to five

  std::size_t packet_bytes() const { return header_bytes + remaining_length; }
};

enum class HeaderState : std::uint8_t { kIncomplete, kComplete, kMalformed };

inline PacketType packet_type(std::uint8_t first_byte) {
  return static_cast<PacketType>(first_byte >> 4);
}
inline std::uint8_t packet_flags(std::uint8_t first_byte) {
  return first_byte & 0x0F;
}

// For read_fixed_header() alone: of any length.
HeaderState read_any_fixed_header(base::ByteView bytes, FixedHeader& out);

// Reads the header at the start of `bytes`. kMalformed when the remaining length does not end within four bytes; the
// type is not judged here. Lengths written with more bytes than they need are read and marked: only MQTT 5 forbids them
// [MQTT-1.5.5-1].
inline HeaderState read_fixed_header(base::ByteView bytes, FixedHeader& out) {
  if (bytes.size() < 2 || bytes[1] >= 0x80) return read_any_fixed_header(bytes, out);
  out = {packet_type(bytes[0]), packet_flags(bytes[0]), true, bytes[1], 2};  // nearly all of them
  return HeaderState::kComplete;
}

// Writes first byte and remaining length to `out`, which has room for kMaxFixedHeaderBytes; returns how many bytes.
inline std::size_t write_fixed_header(std::uint8_t* out, PacketType type, std::uint8_t flags,
                                      std::size_t remaining_length) {
  out[0] = static_cast<std::uint8_t>(static_cast<unsigned>(type) << 4 | flags);
  return 1 + write_variable_integer(out + 1, remaining_length);
}
void append_fixed_header(base::Bytes& out, PacketType type, std::uint8_t flags, std::size_t remaining_length);

}  // namespace mooring::mqtt
