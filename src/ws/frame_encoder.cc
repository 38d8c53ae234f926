#include "ws/frame_encoder.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/assert.h"

namespace mooring::ws {
namespace {

constexpr std::uint8_t kFinBit = 0x80;
constexpr std::uint8_t kMaskBit = 0x80;

std::size_t put_header(std::uint8_t* out, Opcode opcode, std::uint64_t payload_bytes, bool fin, std::uint8_t mask_bit) {
  MOORING_ASSERT(!is_control(opcode) || (fin && payload_bytes <= kMaxControlPayloadBytes));
  MOORING_ASSERT(payload_bytes >> 63 == 0);
  out[0] = static_cast<std::uint8_t>(static_cast<std::uint8_t>(opcode) | (fin ? kFinBit : 0));
  if (payload_bytes < 126) {
    out[1] = static_cast<std::uint8_t>(mask_bit | payload_bytes);
    return 2;
  }
  const bool two_bytes = payload_bytes <= 0xFFFF;
  const std::size_t length_bytes = two_bytes ? 2 : 8;
  out[1] = static_cast<std::uint8_t>(mask_bit | (two_bytes ? 126 : 127));
  for (std::size_t i = 0; i < length_bytes; ++i) {
    out[2 + i] = static_cast<std::uint8_t>(payload_bytes >> (8 * (length_bytes - 1 - i)));
  }
  return 2 + length_bytes;
}

// The longest start of `text` within `max_bytes` that does not end within a character.
std::string_view cut_before_character(std::string_view text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  while (max_bytes != 0 && (static_cast<unsigned char>(text[max_bytes]) & 0xC0) == 0x80) --max_bytes;
  return text.substr(0, max_bytes);
}

}  // namespace

std::size_t encode_any_header(std::uint8_t* out, Opcode opcode, std::uint64_t payload_bytes, bool fin) {
  return put_header(out, opcode, payload_bytes, fin, 0);
}

std::size_t encode_masked_header(std::uint8_t* out, Opcode opcode, std::uint64_t payload_bytes, const MaskKey& key,
                                 bool fin) {
  const std::size_t size = put_header(out, opcode, payload_bytes, fin, kMaskBit);
  std::memcpy(out + size, key.data(), key.size());
  return size + key.size();
}

void apply_mask(base::MutableBytes payload, const MaskKey& key, std::uint64_t offset_bytes) {
  constexpr bool kLittleEndian = std::endian::native == std::endian::little;
  std::uint32_t word = 0;  // masks four bytes as they lie in memory
  std::memcpy(&word, key.data(), sizeof word);
  const int turn = static_cast<int>(8 * (offset_bytes % key.size()));
  word = kLittleEndian ? std::rotr(word, turn) : std::rotl(word, turn);

  std::uint8_t* at = payload.data();
  std::size_t left = payload.size();
  // memcpy, because the payload of a frame starts at any address; it compiles to one load and one store.
  const auto mask_piece = [&](auto pattern) {
    decltype(pattern) piece;
    std::memcpy(&piece, at, sizeof piece);
    piece ^= pattern;
    std::memcpy(at, &piece, sizeof piece);
    at += sizeof piece;
    left -= sizeof piece;
  };
  using Words4 [[gnu::vector_size(16)]] = std::uint32_t;
  while (left >= sizeof(Words4)) mask_piece(Words4{word, word, word, word});
  if (left >= sizeof(std::uint64_t)) mask_piece(std::uint64_t{word} << 32 | word);
  if (left >= sizeof word) mask_piece(word);
  for (; left > 0; --left) {
    *at++ ^= static_cast<std::uint8_t>(kLittleEndian ? word : word >> 24);
    word = kLittleEndian ? word >> 8 : word << 8;
  }
}

std::size_t encode_control(std::uint8_t* out, Opcode opcode, base::ByteView payload,
                           const std::optional<MaskKey>& key) {
  MOORING_ASSERT(is_control(opcode));
  const std::size_t header =
      key ? encode_masked_header(out, opcode, payload.size(), *key) : encode_header(out, opcode, payload.size());
  std::copy(payload.begin(), payload.end(), out + header);
  if (key) apply_mask({out + header, payload.size()}, *key);
  return header + payload.size();
}

std::size_t encode_close(std::uint8_t* out, std::optional<std::uint16_t> code, std::string_view reason,
                         const std::optional<MaskKey>& key) {
  if (!code) return encode_control(out, Opcode::kClose, {}, key);
  MOORING_ASSERT(is_sendable_close_code(*code));
  std::array<std::uint8_t, kMaxControlPayloadBytes> payload;
  payload[0] = static_cast<std::uint8_t>(*code >> 8);
  payload[1] = static_cast<std::uint8_t>(*code & 0xFF);
  reason = cut_before_character(reason, kMaxCloseReasonBytes);
  std::copy(reason.begin(), reason.end(), payload.begin() + 2);
  return encode_control(out, Opcode::kClose, base::ByteView(payload).first(2 + reason.size()), key);
}

std::size_t encode_close(std::uint8_t* out, CloseCode code, std::string_view reason,
                         const std::optional<MaskKey>& key) {
  return encode_close(out, std::optional(to_number(code)), reason, key);
}

}  // namespace mooring::ws
