#include "ws/utf8_check.h"

#include <cstring>

namespace mooring::ws {
namespace {

// Index of the first byte above 7F, to within eight bytes: everything before it is ASCII.
std::size_t skip_ascii(base::ByteView piece, std::size_t from) {
  constexpr std::uint64_t kHighBits = 0x8080808080808080;
  while (piece.size() - from >= sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, piece.data() + from, sizeof word);
    if ((word & kHighBits) != 0) break;
    from += sizeof word;
  }
  return from;
}

constexpr bool between(std::uint8_t byte, std::uint8_t low, std::uint8_t high) {
  return byte >= low && byte <= high;
}

}  // namespace

std::size_t Utf8Check::accept(base::ByteView piece) {
  std::size_t i = 0;
  while (i < piece.size()) {
    if (expect_ == Expect::kFirst) {
      i = skip_ascii(piece, i);
      if (i == piece.size()) break;
    }
    if (!accept_byte(piece[i])) return i;
    ++i;
  }
  return i;
}

bool Utf8Check::accept_byte(std::uint8_t byte) {
  const auto take = [&](std::uint8_t low, std::uint8_t high, Expect next) {
    if (!between(byte, low, high)) return false;
    expect_ = next;
    return true;
  };
  switch (expect_) {
    case Expect::kFirst:
      return start_character(byte);
    case Expect::kTail1:
      return take(0x80, 0xBF, Expect::kFirst);
    case Expect::kTail2:
      return take(0x80, 0xBF, Expect::kTail1);
    case Expect::kTail3:
      return take(0x80, 0xBF, Expect::kTail2);
    case Expect::kTail2NotLow:
      return take(0xA0, 0xBF, Expect::kTail1);
    case Expect::kTail2NotHigh:
      return take(0x80, 0x9F, Expect::kTail1);
    case Expect::kTail3NotLow:
      return take(0x90, 0xBF, Expect::kTail2);
    case Expect::kTail3NotHigh:
      return take(0x80, 0x8F, Expect::kTail2);
  }
  return false;
}

bool Utf8Check::start_character(std::uint8_t byte) {
  if (byte < 0x80) return true;
  if (between(byte, 0xC2, 0xDF)) {
    expect_ = Expect::kTail1;
  } else if (between(byte, 0xE0, 0xEF)) {
    expect_ = byte == 0xE0 ? Expect::kTail2NotLow : byte == 0xED ? Expect::kTail2NotHigh : Expect::kTail2;
  } else if (between(byte, 0xF0, 0xF4)) {
    expect_ = byte == 0xF0 ? Expect::kTail3NotLow : byte == 0xF4 ? Expect::kTail3NotHigh : Expect::kTail3;
  } else {
    return false;  // a continuation byte, C0 and C1 (overlong), F5 and above
  }
  return true;
}

}  // namespace mooring::ws
