#include "server/config_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include <toml++/toml.h>

#include "base/text.h"

namespace mooring::server {
namespace {

using Problems = std::vector<OptionProblem>;

SettingValue value_of(const toml::node& node) {
  if (const auto* flag = node.as_boolean()) return flag->get();
  if (const auto* number = node.as_integer()) return number->get();
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* list = node.as_array()) {
    std::vector<std::string> texts;
    for (const toml::node& item : *list) {
      const auto* text = item.as_string();
      if (text == nullptr) return OtherValue{"list with something else than texts"};
      texts.push_back(text->get());
    }
    return texts;
  }
  std::ostringstream kind;
  kind << node.type();
  return OtherValue{kind.str()};
}

class Flattener {
 public:
  explicit Flattener(std::string name) : name_(std::move(name)) {}

  void section(std::string_view prefix, const toml::table& table, std::optional<std::size_t> listener) {
    for (const auto& [key, node] : table) {
      const std::string name = fmt::format("{}.{}", prefix, key.str());
      if (const toml::table* inner = node.as_table()) {
        section(name, *inner, listener);
      } else {
        file_.settings.push_back({name, listener, value_of(node), where(node)});
      }
    }
  }

  void top(const toml::table& table) {
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      if (name == "listener") {
        listeners(node);
      } else if (const toml::table* inner = node.as_table()) {
        section(name, *inner, std::nullopt);
      } else {
        file_.settings.push_back({name, std::nullopt, value_of(node), where(node)});
      }
    }
  }

  const Problems& problems() const { return problems_; }
  ConfigFile take() { return std::move(file_); }

 private:
  std::string where(const toml::node& node) const { return fmt::format("{}:{}", name_, node.source().begin.line); }

  void listeners(const toml::node& node) {
    const toml::array* list = node.as_array();
    if (list == nullptr || !list->is_array_of_tables()) {
      problems_.push_back({where(node), "a listener is written [[listener]] with two brackets, once for each one"});
      return;
    }
    for (const toml::node& item : *list) section("listener", *item.as_table(), file_.listeners++);
  }

  std::string name_;
  ConfigFile file_;
  Problems problems_;
};

tl::unexpected<Problems> one_problem(const std::string& where, std::string message) {
  return tl::unexpected<Problems>(Problems{{where, std::move(message)}});
}

tl::expected<toml::table, OptionProblem> parse_toml(std::string_view text, const std::string& name) {
  try {
    return toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    return tl::unexpected(
        OptionProblem{fmt::format("{}:{}", name, error.source().begin.line), std::string(error.description())});
  }
}

std::string_view without_quotes(std::string_view text) {
  const bool quoted = text.size() >= 2 && (text.front() == '"' || text.front() == '\'') && text.front() == text.back();
  return quoted ? text.substr(1, text.size() - 2) : text;
}

}  // namespace

tl::expected<ConfigFile, Problems> parse_config_text(std::string_view text, const std::string& name) {
  const auto table = parse_toml(text, name);
  if (!table) return tl::unexpected<Problems>(Problems{table.error()});
  Flattener flattener(name);
  flattener.top(*table);
  if (!flattener.problems().empty()) return tl::unexpected<Problems>(flattener.problems());
  return flattener.take();
}

tl::expected<ConfigFile, Problems> read_config_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return one_problem(path, fmt::format("the configuration file cannot be read: {}", std::strerror(errno)));
  std::string text(kMaxConfigFileBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad() || (in.fail() && !in.eof())) return one_problem(path, "the configuration file cannot be read");
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kMaxConfigFileBytes) {
    return one_problem(path,
                       fmt::format("the file is larger than {} bytes: it is no configuration", kMaxConfigFileBytes));
  }
  return parse_config_text(text, path);
}

tl::expected<Setting, OptionProblem> parse_set(std::string_view text) {
  const std::size_t equals = text.find('=');
  const std::string name(base::trim(text.substr(0, equals)));
  if (equals == text.npos || name.empty()) {
    return tl::unexpected(OptionProblem{
        "--set", fmt::format("\"{}\" is not of the form section.key=value", base::printable(text.substr(0, equals)))});
  }
  const std::string_view value = base::trim(text.substr(equals + 1));
  if (!value.starts_with('[')) {
    return Setting{name, std::nullopt, BareText{std::string(without_quotes(value))}, "--set"};
  }
  const auto table = parse_toml(fmt::format("x = {}", value), "--set");
  if (!table) return tl::unexpected(OptionProblem{"--set", fmt::format("{}: {}", name, table.error().message)});
  const toml::node* node = table->get("x");
  return Setting{name, std::nullopt, node != nullptr ? value_of(*node) : OtherValue{"nothing"}, "--set"};
}

}  // namespace mooring::server
