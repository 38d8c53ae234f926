// Durations on the command line: "90", "90s", "15m", "12h", "7d".
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace mooring::app {

// Seconds, at least 1. Nothing: not such a text, or more than 32 bits hold.
inline std::optional<std::uint32_t> parse_duration(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number == 0 || number > 0xFFFF'FFFF) return std::nullopt;
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const std::uint64_t factor = unit.empty() || unit == "s" ? 1
                               : unit == "m"               ? 60
                               : unit == "h"               ? 3600
                               : unit == "d"               ? 86'400
                                                           : 0;
  if (factor == 0 || number * factor > 0xFFFF'FFFF) return std::nullopt;
  return static_cast<std::uint32_t>(number * factor);
}

}  // namespace mooring::app
