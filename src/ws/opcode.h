// Frame opcodes and the masking key: RFC 6455 sections 5.2 and 5.3.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace mooring::ws {

enum class Opcode : std::uint8_t {
  kContinuation = 0x0,
  kText = 0x1,
  kBinary = 0x2,
  kClose = 0x8,
  kPing = 0x9,
  kPong = 0xA,
};

constexpr bool is_control(Opcode opcode) {
  return (static_cast<std::uint8_t>(opcode) & 0x8) != 0;
}

using MaskKey = std::array<std::uint8_t, 4>;

// Which end of the connection we are. Clients mask what they send, servers do not (RFC 6455 section 5.1).
enum class Role : std::uint8_t { kServer, kClient };

// Payload of a control frame at most (RFC 6455 section 5.5).
inline constexpr std::size_t kMaxControlPayloadBytes = 125;

}  // namespace mooring::ws
