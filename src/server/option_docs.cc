// The two texts made from the option table: the documentation page and the default configuration file.
#include <fmt/format.h>

#include "server/option_table.h"
#include "server/options.h"

namespace mooring::server {
namespace {

std::string_view section_of(const OptionRow& row) {
  return row.name.substr(0, row.name.find('.'));
}
std::string_view key_of(const OptionRow& row) {
  return row.name.substr(row.name.find('.') + 1);
}

std::string default_value(const OptionRow& row) {
  if (!row.default_text.empty()) return std::string(row.default_text);
  std::string text = value_as_toml(row, Options{});
  if (row.open_default) text += fmt::format(" (profile open: {})", *row.open_default);
  return text;
}

std::string escaped_cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

// A value that can stand after "key =" when the line's comment sign is taken away.
std::string sample_value(const OptionRow& row) {
  Options sample;
  sample.server.data = "/var/lib/mooring";
  sample.tls.certificate = {"/etc/mooring/server.pem"};
  sample.tls.key = {"/etc/mooring/server.key"};
  sample.tls.names = {"iot.example.com"};
  sample.listeners[0].anonymous_account = "guest";
  return value_as_toml(row, sample);
}

std::string comment_lines(std::string_view text) {
  constexpr std::size_t kWidth = 110;
  std::string out;
  while (!text.empty()) {
    std::size_t cut = text.size() <= kWidth ? text.size() : text.rfind(' ', kWidth);
    if (cut == text.npos || cut == 0) cut = text.size();
    out += fmt::format("# {}\n", text.substr(0, cut));
    text.remove_prefix(cut == text.size() ? cut : cut + 1);
  }
  return out;
}

std::string hint(const OptionRow& row) {
  const std::string allowed = allowed_values(row);
  return fmt::format("{}.{} Default: {}{}.", row.text, allowed.empty() ? "" : fmt::format(" {}.", allowed),
                     default_value(row), row.reload == Reload::kYes ? "" : "; needs a restart");
}

}  // namespace

std::string option_table_markdown() {
  std::string out =
      "| Option | Type | Default | Allowed | Reload | Meaning |\n"
      "|---|---|---|---|---|---|\n";
  for (const OptionRow& row : option_table()) {
    out += fmt::format("| `{}` | {} | {} | {} | {} | {} |\n", row.name, type_name(row),
                       escaped_cell(default_value(row)), escaped_cell(allowed_values(row)),
                       row.reload == Reload::kYes ? "yes" : "restart", escaped_cell(row.text));
  }
  return out;
}

std::string default_config_file() {
  std::string out =
      "# Configuration of Mooring. Every option is listed with its text and, as a comment, its default or an example.\n"
      "# `mooring check --config FILE` tells whether a file is right; each option can also be given on the command\n"
      "# line: --set section.key=value.\n";
  std::string_view section;
  for (const OptionRow& row : option_table()) {
    if (section != section_of(row)) {
      section = section_of(row);
      out += is_listener_row(row) ? "\n# [[listener]] may be repeated, once for each address.\n[[listener]]\n"
                                  : fmt::format("\n[{}]\n", section);
    } else {
      out += '\n';
    }
    out += comment_lines(hint(row)) + fmt::format("#{} = {}\n", key_of(row), sample_value(row));
  }
  return out;
}

}  // namespace mooring::server
