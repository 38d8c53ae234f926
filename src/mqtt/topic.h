// Topic names and topic filters (MQTT 3.1.1 section 4.7): validity, matching, and whether one filter includes another.
// Nothing here allocates. Linear in the length of the texts. Free functions, any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace mooring::mqtt {

// 1 to 65,535 bytes of UTF-8 without U+0000 and without wildcards (MQTT-4.7.3-1 to -3, MQTT-3.3.2-2).
bool is_valid_topic_name(std::string_view topic);

// As above, with wildcards where they may stand: + alone in its level, # alone in the last level (MQTT-4.7.1-2, -3).
bool is_valid_filter(std::string_view filter);

bool has_wildcard(std::string_view filter);

// ---- Shared subscriptions (MQTT 5 section 4.8.2; the same syntax is served to MQTT 3.x clients) ---------------------

inline constexpr std::string_view kSharePrefix = "$share/";

// Whether `filter` claims to be shared: begins with "$share/". It need not be a valid one.
inline bool is_shared_filter(std::string_view filter) {
  return filter.starts_with(kSharePrefix);
}

struct SharedFilter {
  std::string_view group;   // at least one character, without '/', '+' and '#'
  std::string_view filter;  // a valid topic filter, the one to match with
};

// "$share/{group}/{filter}" taken apart; nothing if it is not that (MQTT-4.8.2-1, -2), a filter that is not shared
// included. A filter within a filter ("$share/a/$share/b/c") has the inner one as ordinary text.
std::optional<SharedFilter> parse_shared_filter(std::string_view filter);

// Whether `topic` is among what `filter` selects. "a/#" selects "a" too; a filter that begins with a wildcard selects
// no topic beginning with $ (MQTT-4.7.2-1). Both must be valid.
bool matches(std::string_view filter, std::string_view topic);

// Whether everything that `inner` can select is selected by `outer`. Exact for all valid filters, for instance
// covers("a/#", "a"), covers("+/#", "#"), not covers("#", "$SYS/x"), not covers("a/+/#", "a/#").
bool covers(std::string_view outer, std::string_view inner);

// Walks the levels of a topic or filter, empty ones included: "/a/" has the levels "", "a", "".
//   LevelIterator levels(topic);
//   for (std::string_view level; levels.next(level);) ...
class LevelIterator {
 public:
  explicit LevelIterator(std::string_view text) : rest_(text) {}

  // False when there is no further level; `level` is then unchanged.
  bool next(std::string_view& level) {
    if (done_) return false;
    const std::size_t slash = rest_.find('/');
    level = rest_.substr(0, slash);
    done_ = slash == std::string_view::npos;
    if (!done_) rest_.remove_prefix(slash + 1);
    return true;
  }
  // Whether the level returned last was the last one.
  bool at_end() const { return done_; }

 private:
  std::string_view rest_;
  bool done_ = false;
};

std::size_t level_count(std::string_view text);

}  // namespace mooring::mqtt
