// Reading configuration text: a TOML file or one --set, as a flat list of settings that know where they came from.
// Knows the grammar only; which names exist and what they may hold is the option table's business. No shared state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/options.h"

namespace mooring::server {

// Text of a --set whose type is decided by the option it is meant for.
struct BareText {
  std::string text;
};

// A TOML value no option can hold (a date, a table, a float, a mixed list), by the name of its kind.
struct OtherValue {
  std::string kind;
};

using SettingValue = std::variant<bool, std::int64_t, std::string, std::vector<std::string>, BareText, OtherValue>;

struct Setting {
  std::string name;                     // "mqtt.max_in_flight", "listener.tls"
  std::optional<std::size_t> listener;  // which [[listener]], from 0; nothing = all (only from --set)
  SettingValue value;
  std::string where;  // "mooring.toml:12" or "--set"
};

struct ConfigFile {
  std::vector<Setting> settings;
  std::size_t listeners = 0;  // number of [[listener]] tables
};

// Upper bound of a configuration file; anything larger is not one.
inline constexpr std::size_t kMaxConfigFileBytes = 1 << 20;

// Reads and parses the file at `path`. A file that is missing, unreadable or not TOML is one problem with its line.
tl::expected<ConfigFile, std::vector<OptionProblem>> read_config_file(const std::string& path);

// The same for text in memory; `name` stands in for the path in `where`.
tl::expected<ConfigFile, std::vector<OptionProblem>> parse_config_text(std::string_view text, const std::string& name);

// "section.key=value"; "listener.key" is for all listeners. Blanks around the key are dropped, quotes around the value
// too. A value in square brackets is a TOML list.
tl::expected<Setting, OptionProblem> parse_set(std::string_view text);

}  // namespace mooring::server
