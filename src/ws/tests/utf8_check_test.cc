#include "ws/utf8_check.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace mooring::ws {
namespace {

bool is_well_formed(base::ByteView text) {
  Utf8Check check;
  return check.accept(text) == text.size() && check.complete();
}

// The incremental check against the one of base, over every string of up to three bytes out of a telling alphabet
// and every possible four-byte form.
TEST(Utf8Check, AgreesWithTheWholeTextCheck) {
  const std::uint8_t alphabet[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0,
                                   0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFE, 0xFF};
  for (const std::uint8_t a : alphabet) {
    for (const std::uint8_t b : alphabet) {
      for (const std::uint8_t c : alphabet) {
        for (const std::uint8_t d : alphabet) {
          const std::uint8_t bytes[] = {a, b, c, d};
          for (std::size_t size = 1; size <= 4; ++size) {
            const base::ByteView text(bytes, size);
            ASSERT_EQ(is_well_formed(text), base::is_utf8(base::as_text(text))) << base::to_hex(text);
          }
        }
      }
    }
  }
}

TEST(Utf8Check, NamesTheFirstBadByte) {
  Utf8Check check;
  EXPECT_EQ(check.accept(base::as_bytes("0123456789abcdef\xC3(")), 17U);
  check.reset();
  EXPECT_EQ(check.accept(base::as_bytes("0123456789abcdef")), 16U);
  EXPECT_EQ(check.accept(base::as_bytes("\xFF")), 0U);
}

TEST(Utf8Check, KeepsItsPlaceBetweenPieces) {
  Utf8Check check;
  EXPECT_EQ(check.accept(base::as_bytes("12345678\xF0\x9F")), 10U);
  EXPECT_FALSE(check.complete());
  EXPECT_EQ(check.accept(base::as_bytes("\x98")), 1U);
  EXPECT_FALSE(check.complete());
  EXPECT_EQ(check.accept(base::as_bytes("\x80z")), 2U);
  EXPECT_TRUE(check.complete());
  EXPECT_EQ(check.accept({}), 0U);
  EXPECT_TRUE(check.complete());
}

}  // namespace
}  // namespace mooring::ws
