// The option table: one row per option. Private to this module; the world outside uses options.h.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "server/options.h"

namespace mooring::server {

// Where a row's value lives. The type of the pointer is the type of the option.
using OptionField = std::variant<bool*, std::uint32_t*, std::uint64_t*, std::string*, std::vector<std::string>*,
                                 ListenerTls*, LimitsProfile*, DurabilityMode*, TlsVersion*, KeepAliveOverMax*,
                                 SubscriptionScope*, base::LogLevel*, base::LogFormat*>;

enum class Reload : bool { kNo, kYes };

// Numbers: `low` to `high`; with `zero_is_none` 0 is allowed too and means "no limit".
struct OptionRange {
  std::uint64_t low = 0;
  std::uint64_t high = UINT32_MAX;
  bool zero_is_none = false;
};

struct OptionRow {
  std::string_view name;  // "section.key"; rows of section "listener" exist once for each listener
  OptionField (*field)(Options&, std::size_t listener);
  Reload reload = Reload::kNo;
  std::string_view text;                                     // one sentence with the unit, without a final stop
  OptionRange range = {};                                    // numbers only
  std::span<const std::string_view> words = {};              // enumerations only, in the order of the enumeration
  std::string_view default_text = {};                        // instead of the value, where the default is computed
  std::optional<std::uint64_t> open_default = {};            // default with limits.profile = "open"
  base::Result<> (*check)(std::string_view text) = nullptr;  // texts and each text of a list
};

std::span<const OptionRow> option_table();

inline constexpr std::string_view kListenerPrefix = "listener.";
inline bool is_listener_row(const OptionRow& row) {
  return row.name.starts_with(kListenerPrefix);
}

// "flag", "number", "text", "list of texts", "word".
std::string_view type_name(const OptionRow& row);
// "true or false", "1024 to 268435456, or 0 for no limit", "`a`, `b`"; empty for texts.
std::string allowed_values(const OptionRow& row);
// The value of the row's field as TOML.
std::string value_as_toml(const OptionRow& row, const Options& options, std::size_t listener = 0);

}  // namespace mooring::server
