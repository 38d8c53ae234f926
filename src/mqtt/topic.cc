#include "mqtt/topic.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/text.h"
#include "mqtt/packet.h"

namespace mooring::mqtt {
namespace {

struct Scan {
  bool valid = true;      // length, UTF-8, no U+0000
  bool wildcard = false;  // a + or # anywhere
};

// Sixteen bytes at a time, for this runs for every PUBLISH; compilers make vector instructions of it.
using Bytes16 [[gnu::vector_size(16)]] = unsigned char;

class Findings {
 public:
  void add(Bytes16 bytes) {
    zeros_ |= bytes == 0;
    wildcards_ |= (bytes == '+') | (bytes == '#');
    all_ |= bytes;
  }
  bool zero() const { return any_bit(zeros_, 0xFF); }
  bool wildcard() const { return any_bit(wildcards_, 0xFF); }
  bool ascii() const { return !any_bit(all_, 0x80); }

 private:
  static bool any_bit(Bytes16 bytes, std::uint8_t which) {
    std::uint64_t words[2];
    std::memcpy(words, &bytes, sizeof words);
    return ((words[0] | words[1]) & (0x0101'0101'0101'0101ULL * which)) != 0;
  }

  Bytes16 zeros_{};
  Bytes16 wildcards_{};
  Bytes16 all_{};
};

Scan scan(std::string_view text) {
  Findings found;
  std::string_view rest = text;
  Bytes16 bytes;
  for (; rest.size() >= sizeof bytes; rest.remove_prefix(sizeof bytes)) {
    std::memcpy(&bytes, rest.data(), sizeof bytes);
    found.add(bytes);
  }
  bytes = Bytes16{} + static_cast<unsigned char>('/');
  if (!rest.empty()) std::memcpy(&bytes, rest.data(), rest.size());
  found.add(bytes);
  if (found.zero()) return {false, false};
  const bool fits = !text.empty() && text.size() <= kMaxStringBytes;
  return {fits && (found.ascii() || base::is_utf8(text)), found.wildcard()};
}

// What nearly every topic is: not short, all of it ASCII, neither U+0000 nor a wildcard. False: look closer.
bool is_plain_name(std::string_view topic) {
  Bytes16 bytes;
  if (topic.size() < sizeof bytes || topic.size() > kMaxStringBytes) return false;
  Bytes16 special{};
  const auto add = [&](const char* at) {
    std::memcpy(&bytes, at, sizeof bytes);
    special |= (bytes == 0) | (bytes == '+') | (bytes == '#');
    special |= bytes & 0x80;
  };
  const char* const last = topic.data() + topic.size() - sizeof bytes;
  for (const char* at = topic.data(); at < last; at += sizeof bytes) add(at);
  add(last);  // some bytes a second time, unless all pieces are whole
  std::uint64_t words[2];
  std::memcpy(words, &special, sizeof words);
  return (words[0] | words[1]) == 0;
}

// A filter beginning with a wildcard selects no topic beginning with $ (MQTT-4.7.2-1).
bool starts_with_wildcard(std::string_view filter) {
  return filter.starts_with('+') || filter.starts_with('#');
}

// A filter as a list of levels and the question whether any number of further levels may follow. No topic is empty, so
// "#" is the same as "+/#" and "/#" the same as "/+/#".
class Pattern {
 public:
  explicit Pattern(std::string_view filter)
      : levels_(without_tail(filter)), open_(filter == "#" || filter.ends_with("/#")) {}

  bool next(std::string_view& level) { return levels_.next(level); }
  bool open() const { return open_; }

 private:
  static std::string_view without_tail(std::string_view filter) {
    if (filter == "#") return "+";
    if (filter == "/#") return "/+";
    return filter.ends_with("/#") ? filter.substr(0, filter.size() - 2) : filter;
  }

  LevelIterator levels_;
  bool open_;
};

}  // namespace

bool is_valid_topic_name(std::string_view topic) {
  if (is_plain_name(topic)) return true;
  const Scan result = scan(topic);
  return result.valid && !result.wildcard;
}

bool is_valid_filter(std::string_view filter) {
  const Scan result = scan(filter);
  if (!result.valid || !result.wildcard) return result.valid;
  LevelIterator levels(filter);
  for (std::string_view level; levels.next(level);) {
    if (!has_wildcard(level)) continue;
    if (level != "+" && !(level == "#" && levels.at_end())) return false;
  }
  return true;
}

bool has_wildcard(std::string_view filter) {
  return filter.find_first_of("+#") != std::string_view::npos;
}

std::optional<SharedFilter> parse_shared_filter(std::string_view filter) {
  if (!is_shared_filter(filter)) return std::nullopt;
  filter.remove_prefix(kSharePrefix.size());
  const std::size_t slash = filter.find('/');
  if (slash == 0 || slash == std::string_view::npos) return std::nullopt;
  const SharedFilter out{filter.substr(0, slash), filter.substr(slash + 1)};
  const Scan group = scan(out.group);
  if (!group.valid || group.wildcard || !is_valid_filter(out.filter)) return std::nullopt;
  return out;
}

bool matches(std::string_view filter, std::string_view topic) {
  if (topic.starts_with('$') && starts_with_wildcard(filter)) return false;
  Pattern pattern(filter);
  LevelIterator levels(topic);
  std::string_view wanted;
  std::string_view level;
  while (pattern.next(wanted)) {
    if (!levels.next(level)) return false;
    if (wanted != "+" && wanted != level) return false;
  }
  return pattern.open() || !levels.next(level);
}

bool covers(std::string_view outer, std::string_view inner) {
  if (inner.starts_with('$') && starts_with_wildcard(outer)) return false;
  Pattern outer_pattern(outer);
  Pattern inner_pattern(inner);
  if (inner_pattern.open() && !outer_pattern.open()) return false;
  std::string_view outer_level;
  std::string_view inner_level;
  while (outer_pattern.next(outer_level)) {
    // Without a level to compare, inner selects topics too short for outer.
    if (!inner_pattern.next(inner_level)) return false;
    if (outer_level != "+" && outer_level != inner_level) return false;
  }
  return outer_pattern.open() || !inner_pattern.next(inner_level);
}

std::size_t level_count(std::string_view text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '/')) + 1;
}

}  // namespace mooring::mqtt
