// Utf8Check: well-formedness of UTF-8 that arrives in pieces (RFC 3629; RFC 6455 section 8.1).
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace mooring::ws {

// One byte of state, so that it can live in a connection. Not thread-safe, no allocation.
class Utf8Check {
 public:
  // Reads `piece`. Returns how many of its bytes continue well-formed text: piece.size(), or the index of the first
  // byte that cannot stand where it stands. After such a byte call reset() before going on.
  std::size_t accept(base::ByteView piece);

  // Whether the text may end here, that is not within a character.
  bool complete() const { return expect_ == Expect::kFirst; }

  void reset() { expect_ = Expect::kFirst; }

 private:
  // What the next byte has to be.
  enum class Expect : std::uint8_t {
    kFirst,         // the first byte of a character
    kTail1,         // one more continuation byte, then a new character
    kTail2,         // two more
    kTail3,         // three more
    kTail2NotLow,   // two more, the first not below A0: otherwise an overlong form
    kTail2NotHigh,  // two more, the first not above 9F: otherwise a surrogate
    kTail3NotLow,   // three more, the first not below 90: otherwise an overlong form
    kTail3NotHigh,  // three more, the first not above 8F: otherwise above U+10FFFF
  };

  bool accept_byte(std::uint8_t byte);
  bool start_character(std::uint8_t byte);

  Expect expect_ = Expect::kFirst;
};

}  // namespace mooring::ws
