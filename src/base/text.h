// Small text helpers: hexadecimal, case-free comparison, splitting, UTF-8 checks, the nearest word for "did you mean".
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace mooring::base {

std::string to_hex(ByteView bytes);                    // lower case
std::optional<Bytes> from_hex(std::string_view text);  // either case; nothing for odd length or another character

bool iequals(std::string_view a, std::string_view b);  // ASCII letters only
std::string to_lower(std::string_view text);           // ASCII letters only
std::string_view trim(std::string_view text);          // blanks, tabs, CR and LF at both ends

// Well-formed UTF-8 by RFC 3629: no surrogates, no overlong forms, at most U+10FFFF.
bool is_utf8(std::string_view text);
// Number of code points of well-formed UTF-8.
std::size_t utf8_length(std::string_view text);

// The candidate that differs from `word` least (edit distance), if it is near enough to be a likely slip.
std::optional<std::string_view> nearest(std::string_view word, std::span<const std::string_view> candidates);

// For logs and terminals: control characters and bytes that are not UTF-8 as \xHH, cut after `max_bytes` with "...".
std::string printable(std::string_view text, std::size_t max_bytes = 256);

}  // namespace mooring::base
