#include "server/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <type_traits>
#include <utility>

#include "base/text.h"
#include "server/config_file.h"
#include "server/option_table.h"

namespace mooring::server {
namespace {

using base::Errc;
using Problems = std::vector<OptionProblem>;

const OptionRow* find_row(std::string_view name) {
  const auto rows = option_table();
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const OptionRow& r) { return r.name == name; });
  return row == rows.end() ? nullptr : &*row;
}

std::string_view key_of(std::string_view name) {
  return name.substr(name.rfind('.') + 1);
}

// The same key in another section first, then the name that differs least.
std::optional<std::string_view> likely_name(std::string_view name) {
  std::vector<std::string_view> names;
  for (const OptionRow& row : option_table()) {
    if (key_of(row.name) == key_of(name)) return row.name;
    names.push_back(row.name);
  }
  return base::nearest(name, names);
}

std::string origin_name(const OptionRow& row, std::size_t listener) {
  if (!is_listener_row(row)) return std::string(row.name);
  return fmt::format("listener[{}].{}", listener, row.name.substr(kListenerPrefix.size()));
}

struct ShowValue {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::int64_t value) const { return std::to_string(value); }
  std::string operator()(const std::string& value) const { return fmt::format("\"{}\"", base::printable(value)); }
  std::string operator()(const std::vector<std::string>&) const { return "the list"; }
  std::string operator()(const BareText& value) const { return fmt::format("\"{}\"", base::printable(value.text)); }
  std::string operator()(const OtherValue& value) const { return "the " + value.kind; }
};

// Puts one setting into the field of its row, with every check the row asks for.
class Assign {
 public:
  Assign(const OptionRow& row, const SettingValue& value) : row_(row), value_(value) {}

  base::Result<> operator()(bool* target) const {
    if (const bool* flag = std::get_if<bool>(&value_)) {
      *target = *flag;
      return {};
    }
    const std::string* text = bare();
    if (text == nullptr || (*text != "true" && *text != "false")) return refuse();
    *target = *text == "true";
    return {};
  }

  base::Result<> operator()(std::uint32_t* target) const { return number(target); }
  base::Result<> operator()(std::uint64_t* target) const { return number(target); }

  base::Result<> operator()(std::string* target) const {
    const std::string* text = any_text();
    if (text == nullptr) return refuse();
    const auto checked = check(*text);
    if (checked) *target = *text;
    return checked;
  }

  base::Result<> operator()(std::vector<std::string>* target) const {
    std::vector<std::string> items;
    if (const auto* list = std::get_if<std::vector<std::string>>(&value_)) {
      items = *list;
    } else if (const auto* text = std::get_if<std::string>(&value_)) {
      items = {*text};
    } else if (bare() != nullptr) {
      items = split(*bare());
    } else {
      return refuse();
    }
    for (const std::string& item : items) {
      const auto checked = check(item);
      if (!checked) return checked;
    }
    *target = std::move(items);
    return {};
  }

  template <class Enumeration>
  base::Result<> operator()(Enumeration* target) const {
    static_assert(std::is_enum_v<Enumeration>);
    const std::string* text = any_text();
    if (text == nullptr) return refuse();
    const auto word = std::find(row_.words.begin(), row_.words.end(), *text);
    if (word == row_.words.end()) return refuse(base::nearest(*text, row_.words));
    *target = static_cast<Enumeration>(word - row_.words.begin());
    return {};
  }

 private:
  const std::string* bare() const {
    const auto* value = std::get_if<BareText>(&value_);
    return value == nullptr ? nullptr : &value->text;
  }
  const std::string* any_text() const {
    const auto* text = std::get_if<std::string>(&value_);
    return text != nullptr ? text : bare();
  }

  static std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> items;
    while (!text.empty()) {
      const std::size_t comma = text.find(',');
      items.emplace_back(base::trim(text.substr(0, comma)));
      text.remove_prefix(comma == text.npos ? text.size() : comma + 1);
    }
    return items;
  }

  std::optional<std::uint64_t> as_number() const {
    if (const auto* number = std::get_if<std::int64_t>(&value_)) {
      return *number < 0 ? std::nullopt : std::optional(static_cast<std::uint64_t>(*number));
    }
    const std::string* text = bare();
    std::uint64_t number = 0;
    if (text == nullptr) return std::nullopt;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
    return number;
  }

  template <class Number>
  base::Result<> number(Number* target) const {
    const auto number = as_number();
    const bool none = number == 0U && row_.range.zero_is_none;
    if (!number || (!none && (*number < row_.range.low || *number > row_.range.high))) return refuse();
    *target = static_cast<Number>(*number);
    return {};
  }

  base::Result<> check(const std::string& text) const {
    if (row_.check == nullptr) return {};
    const auto checked = row_.check(text);
    if (checked) return {};
    return base::fail(Errc::kInvalidArgument,
                      fmt::format("{} = \"{}\": {}", row_.name, base::printable(text), checked.error().message));
  }

  tl::unexpected<base::Error> refuse(std::optional<std::string_view> meant = std::nullopt) const {
    const std::string_view type = type_name(row_);
    std::string message = fmt::format("{} = {}: expected a {}", row_.name, std::visit(ShowValue{}, value_), type);
    const std::string allowed = allowed_values(row_);
    if (!allowed.empty()) message += ", " + allowed;
    if (meant) message += fmt::format("; did you mean \"{}\"?", *meant);
    return base::fail(Errc::kInvalidArgument, std::move(message));
  }

  const OptionRow& row_;
  const SettingValue& value_;
};

// Collects settings from all places, in order of rising precedence, and all the problems on the way.
class Loader {
 public:
  explicit Loader(const OptionSources& sources) { options_.sources = sources; }

  tl::expected<Options, Problems> load() {
    const OptionSources sources = options_.sources;
    if (sources.config_file) apply_file(*sources.config_file);
    apply_listens(sources.listens);
    if (sources.data) apply({"server.data", std::nullopt, *sources.data, "--data"});
    if (sources.threads) apply({"server.threads", std::nullopt, std::int64_t{*sources.threads}, "--threads"});
    for (const std::string& text : sources.sets) apply_set(text);
    if (options_.limits.profile == LimitsProfile::kOpen) apply_open_profile();
    finish();
    if (!problems_.empty()) return tl::unexpected(std::move(problems_));
    return std::move(options_);
  }

 private:
  void problem(std::string where, std::string message) { problems_.push_back({std::move(where), std::move(message)}); }

  void apply_file(const std::string& path) {
    auto file = read_config_file(path);
    if (!file) {
      problems_ = std::move(file.error());
      return;
    }
    if (file->listeners > 0) options_.listeners.assign(file->listeners, {});
    for (const Setting& setting : file->settings) apply(setting);
  }

  void apply_listens(const std::vector<std::string>& listens) {
    if (listens.empty()) return;
    options_.listeners.assign(listens.size(), {});
    std::erase_if(options_.origins, [](const auto& origin) { return origin.first.starts_with("listener["); });
    for (std::size_t i = 0; i < listens.size(); ++i) apply({"listener.address", i, listens[i], "--listen"});
  }

  void apply_set(const std::string& text) {
    const auto setting = parse_set(text);
    if (setting) {
      apply(*setting);
    } else {
      problems_.push_back(setting.error());
    }
  }

  void apply(const Setting& setting) {
    const OptionRow* row = find_row(setting.name);
    if (row == nullptr) return unknown(setting);
    const bool every = is_listener_row(*row) && !setting.listener;
    const std::size_t first = setting.listener.value_or(0);
    const std::size_t last = every ? options_.listeners.size() - 1 : first;
    for (std::size_t listener = first; listener <= last; ++listener) {
      const auto done = std::visit(Assign(*row, setting.value), row->field(options_, listener));
      if (!done) return problem(setting.where, done.error().message);
      options_.origins[origin_name(*row, listener)] = setting.where;
    }
  }

  void unknown(const Setting& setting) {
    std::string message = fmt::format("unknown option \"{}\"", base::printable(setting.name));
    if (const auto meant = likely_name(setting.name)) message += fmt::format("; did you mean \"{}\"?", *meant);
    problem(setting.where, std::move(message));
  }

  void apply_open_profile() {
    for (const OptionRow& row : option_table()) {
      if (!row.open_default || options_.origins.contains(row.name)) continue;
      apply({std::string(row.name), std::nullopt, static_cast<std::int64_t>(*row.open_default), "limits.profile"});
    }
  }

  // What several options must fulfil together.
  void require(bool good, std::string_view name, std::string message) {
    if (!good) problem(std::string(origin_of(options_, name)), fmt::format("{}: {}", name, message));
  }

  void finish() {
    if (options_.server.data.empty()) options_.server.data = default_data_dir();
    finish_listeners();
    const MqttOptions& mqtt = options_.mqtt;
    require(mqtt.max_payload_bytes <= mqtt.discard_payload_bytes, "mqtt.max_payload_bytes",
            "must not be larger than mqtt.discard_payload_bytes");
    require(mqtt.discard_payload_bytes <= mqtt.max_packet_bytes, "mqtt.discard_payload_bytes",
            "must not be larger than mqtt.max_packet_bytes");
    require(mqtt.max_payload_bytes <= mqtt.max_queued_bytes, "mqtt.max_queued_bytes",
            "must hold at least one message of mqtt.max_payload_bytes");
    require(mqtt.max_payload_bytes <= options_.limits.outgoing_bytes_per_connection,
            "limits.outgoing_bytes_per_connection", "must hold at least one message of mqtt.max_payload_bytes");
    require(options_.auth.keep_alive_min_s <= options_.auth.keep_alive_max_s, "auth.keep_alive_min_s",
            "must not be larger than auth.keep_alive_max_s");
    require(options_.tls.certificate.size() == options_.tls.key.size(),
            options_.tls.key.empty() ? "tls.certificate" : "tls.key",
            fmt::format("{} certificates and {} keys are named; each certificate needs its key",
                        options_.tls.certificate.size(), options_.tls.key.size()));
  }

  void finish_listeners() {
    for (std::size_t i = 0; i < options_.listeners.size(); ++i) {
      ListenerOptions& listener = options_.listeners[i];
      if (const auto address = parse_listen_address(listener.address)) {
        listener.host = address->host;
        listener.port = address->port;
      }
      require(!listener.proxy_protocol || !listener.trusted_proxies.empty(),
              fmt::format("listener[{}].proxy_protocol", i),
              "needs listener.trusted_proxies, the addresses whose headers are believed");
      for (std::size_t other = 0; other < i; ++other) {
        const ListenerOptions& earlier = options_.listeners[other];
        require(listener.port == 0 || listener.port != earlier.port || listener.host != earlier.host,
                fmt::format("listener[{}].address", i), fmt::format("\"{}\" is listened on twice", listener.address));
      }
    }
  }

  Options options_;
  Problems problems_;
};

template <class Visit>
void for_each_field(const Options& options, Visit visit) {
  for (const OptionRow& row : option_table()) {
    const std::size_t count = is_listener_row(row) ? options.listeners.size() : 1;
    for (std::size_t listener = 0; listener < count; ++listener) visit(row, listener);
  }
}

}  // namespace

tl::expected<Options, Problems> load_options(const OptionSources& sources) {
  return Loader(sources).load();
}

std::string describe(const Problems& problems) {
  std::string out;
  for (const OptionProblem& problem : problems) out += fmt::format("{}: {}\n", problem.where, problem.message);
  return out;
}

std::string_view origin_of(const Options& options, std::string_view name) {
  const auto origin = options.origins.find(name);
  return origin == options.origins.end() ? "default" : std::string_view(origin->second);
}

std::vector<OptionChange> changed_options(const Options& before, const Options& after) {
  std::vector<OptionChange> changes;
  if (before.listeners.size() != after.listeners.size()) changes.push_back({"listener", false});
  for_each_field(after, [&](const OptionRow& row, std::size_t listener) {
    if (is_listener_row(row) && listener >= before.listeners.size()) return;
    if (value_as_toml(row, before, listener) == value_as_toml(row, after, listener)) return;
    changes.push_back({origin_name(row, listener), row.reload == Reload::kYes});
  });
  return changes;
}

Options with_reloadable(const Options& from, const Options& to) {
  Options result = from;
  Options source = to;
  result.sources = to.sources;
  for_each_field(from, [&](const OptionRow& row, std::size_t listener) {
    if (row.reload == Reload::kNo || is_listener_row(row)) return;
    const OptionField value = row.field(source, listener);
    std::visit([&](auto* target) { *target = *std::get<decltype(target)>(value); }, row.field(result, listener));
    result.origins.erase(std::string(row.name));
    if (const auto origin = to.origins.find(row.name); origin != to.origins.end()) result.origins.insert(*origin);
  });
  return result;
}

base::Result<ListenAddress> parse_listen_address(std::string_view text) {
  const auto refuse = [](std::string_view why) {
    return base::fail(
        Errc::kInvalidArgument,
        fmt::format("{}; write [HOST:]PORT, such as \":443\", \"127.0.0.1:8443\" or \"[::1]:8443\"", why));
  };
  ListenAddress address;
  const std::size_t colon = text.rfind(':');
  const std::string_view port = colon == text.npos ? text : text.substr(colon + 1);
  std::string_view host = colon == text.npos ? std::string_view() : text.substr(0, colon);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc() || end != port.data() + port.size()) return refuse("the port must be a number, 0 to 65535");
  if (host.starts_with('[')) {
    if (host.size() < 4 || !host.ends_with(']')) return refuse("the brackets hold no IPv6 address");
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != host.npos) {
    return refuse("an IPv6 address needs brackets");
  }
  if (host.find_first_of(" \t\r\n[]/") != host.npos) return refuse("the host is not a name or address");
  address.host = std::string(host);
  return address;
}

std::string default_data_dir() {
  const char* state = std::getenv("STATE_DIRECTORY");  // NOLINT(concurrency-mt-unsafe): nobody changes it
  if (state == nullptr || *state == '\0') return "./mooring-data";
  const std::string_view folders = state;
  return std::string(folders.substr(0, folders.find(':')));
}

}  // namespace mooring::server
