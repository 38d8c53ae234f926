// Writing WebSocket frames: RFC 6455 sections 5.2, 5.3 and 5.5. Free functions into memory of the caller; no I/O, no
// state, callable on any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "ws/close_code.h"
#include "ws/opcode.h"

namespace mooring::ws {

inline constexpr std::size_t kMaxServerHeaderBytes = 10;  // 2 + 8 bytes of length
inline constexpr std::size_t kMaxClientHeaderBytes = 14;  // 4 bytes of mask more
inline constexpr std::size_t kMaxControlFrameBytes = 2 + 4 + kMaxControlPayloadBytes;
inline constexpr std::size_t kMaxCloseReasonBytes = kMaxControlPayloadBytes - 2;

// Size of the header that the encoders below write for `payload_bytes`.
constexpr std::size_t header_bytes(std::uint64_t payload_bytes, bool masked = false) {
  return (payload_bytes < 126 ? 2U : payload_bytes <= 0xFFFF ? 4U : 10U) + (masked ? 4U : 0U);
}

// For encode_header() alone: of any frame.
std::size_t encode_any_header(std::uint8_t* out, Opcode opcode, std::uint64_t payload_bytes, bool fin);

// The header of a frame from a server. `out` has room for kMaxServerHeaderBytes; returns the bytes written.
// A control frame must be final and carry at most kMaxControlPayloadBytes; any payload is under 2^63 bytes.
inline std::size_t encode_header(std::uint8_t* out, Opcode opcode, std::uint64_t payload_bytes, bool fin = true) {
  if (payload_bytes >= 126 || !fin || is_control(opcode)) return encode_any_header(out, opcode, payload_bytes, fin);
  out[0] = static_cast<std::uint8_t>(0x80 | static_cast<unsigned>(opcode));
  out[1] = static_cast<std::uint8_t>(payload_bytes);
  return 2;
}

// The header of a frame from a client; the payload has to go through apply_mask with the same key. `out` has room for
// kMaxClientHeaderBytes. A fresh unpredictable key belongs to every frame (section 10.3).
std::size_t encode_masked_header(std::uint8_t* out, Opcode opcode, std::uint64_t payload_bytes, const MaskKey& key,
                                 bool fin = true);

// Masks or unmasks in place, sixteen bytes at a time; `offset_bytes` is the place of `payload` in its frame.
void apply_mask(base::MutableBytes payload, const MaskKey& key, std::uint64_t offset_bytes = 0);

// A whole ping or pong. `payload` is at most kMaxControlPayloadBytes, `out` has room for kMaxControlFrameBytes;
// with a key the frame is a client's. Returns the bytes written.
std::size_t encode_control(std::uint8_t* out, Opcode opcode, base::ByteView payload,
                           const std::optional<MaskKey>& key = std::nullopt);

// A whole close frame, into room for kMaxControlFrameBytes. A reason longer than kMaxCloseReasonBytes is cut before a
// character. `code` has to be sendable (is_sendable_close_code); the second form with nothing makes the empty close
// frame, so that the code of Events::on_close can be sent back as it came.
std::size_t encode_close(std::uint8_t* out, CloseCode code, std::string_view reason,
                         const std::optional<MaskKey>& key = std::nullopt);
std::size_t encode_close(std::uint8_t* out, std::optional<std::uint16_t> code, std::string_view reason,
                         const std::optional<MaskKey>& key = std::nullopt);

}  // namespace mooring::ws
