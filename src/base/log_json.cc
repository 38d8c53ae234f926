#include "base/log_json.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <ctime>

#include "base/text.h"

namespace mooring::base {
namespace {

// The control characters and line ends beyond ASCII, which some readers of lines take for such: U+0080 to U+009F,
// U+2028, U+2029. Empty: `character` is another.
std::string escaped_control(std::string_view character) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(character[i])); };
  if (character.size() == 2 && byte(0) == 0xC2 && byte(1) < 0xA0) return fmt::format("\\u00{:02x}", byte(1));
  if (character == "\u2028") return "\\u2028";
  return character == "\u2029" ? "\\u2029" : "";
}

// Bytes of the character that `text` begins with; 0: it is none.
std::size_t character_bytes(std::string_view text) {
  for (std::size_t bytes = 2; bytes <= std::min<std::size_t>(text.size(), 4); ++bytes) {
    if (is_utf8(text.substr(0, bytes))) return bytes;
  }
  return 0;
}

void append_escaped(std::string& out, char c) {
  switch (c) {
    case '"':
    case '\\':
      out += '\\';
      out += c;
      return;
    case '\n':
      out += "\\n";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
        out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
      } else {
        out += c;
      }
  }
}

void append_text(std::string& out, std::string_view text) {
  while (!text.empty()) {
    if (static_cast<unsigned char>(text.front()) < 0x80) {
      append_escaped(out, text.front());
      text.remove_prefix(1);
      continue;
    }
    const std::size_t bytes = character_bytes(text);
    if (bytes == 0) {
      out += "\\ufffd";
    } else if (const std::string escaped = escaped_control(text.substr(0, bytes)); !escaped.empty()) {
      out += escaped;
    } else {
      out += text.substr(0, bytes);
    }
    text.remove_prefix(std::max<std::size_t>(bytes, 1));
  }
}

}  // namespace

std::string json_log_line(WallMs at_ms, std::string_view level, std::string_view component, std::string_view message) {
  std::string out = fmt::format(R"({{"time":"{:%Y-%m-%dT%H:%M:%S}.{:03}Z","level":"{}","component":")",
                                fmt::gmtime(static_cast<std::time_t>(at_ms / 1000)), at_ms % 1000, level);
  append_text(out, component);
  out += R"(","message":")";
  append_text(out, message);
  out += "\"}";
  return out;
}

}  // namespace mooring::base
