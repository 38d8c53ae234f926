#include "device_commands.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <memory>

#include "api/connect_lines.h"
#include "authority_commands.h"
#include "base/percent.h"
#include "device_journal_commands.h"
#include "device_transfer.h"
#include "registry/registry.h"
#include "registry_command.h"

namespace mooring::app {
namespace {

using base::Errc;
using base::Result;

constexpr std::int64_t kCountMax = 1'000'000;  // of one create

struct DeviceOptions : CommonOptions {
  std::string product_key;
  std::string device_name;
  std::string device_secret;
  std::string nickname;
  std::int64_t count = 0;
  std::string prefix;
  std::string status;
  std::int64_t limit = 0;
  bool secrets = false;
  bool without_secret = false;
  std::string host = "localhost";
  std::uint16_t port = 443;
};
using Options = std::shared_ptr<DeviceOptions>;
using Body = Result<> (*)(const DeviceOptions&, AdminClient&);

std::string path_of(const DeviceOptions& options) {
  return device_path(options.product_key, options.device_name);
}

Result<> create_batch(const DeviceOptions& options, AdminClient& client) {
  ListPrinter printer(options.json, {"productKey", "deviceName", "deviceSecret"});
  for (std::int64_t left = options.count; left > 0;) {
    const std::int64_t now = std::min<std::int64_t>(left, registry::kBatchDevicesMax);
    boost::json::object body{{"count", now}};
    if (!options.nickname.empty()) body["nickname"] = options.nickname;
    const auto created = call(client, "POST", product_path(options.product_key) + "/devices", body);
    if (!created) return tl::unexpected(created.error());
    printer.add(created->at("items").as_array());
    left -= now;
  }
  printer.finish();
  return {};
}

Result<> create(const DeviceOptions& options, AdminClient& client) {
  if (options.count > 0) return create_batch(options, client);
  boost::json::object body;
  if (!options.device_name.empty()) body["deviceName"] = options.device_name;
  if (!options.device_secret.empty()) body["deviceSecret"] = options.device_secret;
  if (!options.nickname.empty()) body["nickname"] = options.nickname;
  if (options.without_secret) body["withoutSecret"] = true;
  return print_answer(options, call(client, "POST", product_path(options.product_key) + "/devices", body));
}

Result<> list(const DeviceOptions& options, AdminClient& client) {
  std::vector<std::string> columns{"productKey", "deviceName", "status", "nickname", "lastOnline", "lastAddress"};
  if (options.secrets) columns.insert(columns.begin() + 2, "deviceSecret");
  ListPrinter printer(options.json, std::move(columns));
  constexpr std::int64_t kPageRows = 1000;
  const std::int64_t rows = options.limit > 0 ? std::min(options.limit, kPageRows) : kPageRows;
  std::string target = fmt::format("devices?limit={}", rows);
  if (!options.product_key.empty()) target += "&productKey=" + base::percent_encoded(options.product_key);
  if (!options.prefix.empty()) target += "&prefix=" + base::percent_encoded(options.prefix);
  if (!options.status.empty()) target += "&status=" + base::percent_encoded(options.status);
  if (options.secrets) target += "&secrets=true";
  std::int64_t left = options.limit > 0 ? options.limit : std::numeric_limits<std::int64_t>::max();
  const auto done = for_each_page(client, target, [&](const boost::json::array& items) -> Result<> {
    boost::json::array wanted = items;
    if (std::cmp_greater(wanted.size(), left)) wanted.resize(static_cast<std::size_t>(left));
    printer.add(wanted);
    left -= static_cast<std::int64_t>(wanted.size());
    return left > 0 ? Result<>{} : Result<>(base::fail(Errc::kLimitExceeded, {}));
  });
  if (!done && left > 0) return done;
  printer.finish();
  return {};
}

Result<> show(const DeviceOptions& options, AdminClient& client) {
  return print_answer(options, call(client, "GET", path_of(options)));
}

Result<> update(const DeviceOptions& options, AdminClient& client) {
  boost::json::object body;
  if (!options.nickname.empty()) body["nickname"] = options.nickname;
  if (!options.device_secret.empty()) body["deviceSecret"] = options.device_secret;
  if (body.empty()) return base::fail(Errc::kInvalidArgument, "say what to change: --nickname or --device-secret");
  return print_answer(options, call(client, "PATCH", path_of(options), body));
}

Result<> enable(const DeviceOptions& options, AdminClient& client) {
  return print_answer(options, call(client, "POST", path_of(options) + "/enable"));
}

Result<> disable(const DeviceOptions& options, AdminClient& client) {
  return print_answer(options, call(client, "POST", path_of(options) + "/disable"));
}

Result<> kick(const DeviceOptions& options, AdminClient& client) {
  return print_answer(options, call(client, "POST", path_of(options) + "/kick"));
}

Result<> reset(const DeviceOptions& options, AdminClient& client) {
  return print_answer(options, call(client, "POST", path_of(options) + "/reset"));
}

Result<> remove(const DeviceOptions& options, AdminClient& client) {
  return print_answer(options, call(client, "DELETE", path_of(options)));
}

Result<api::ConnectInput> connect_input(const DeviceOptions& options, AdminClient& client) {
  const auto device = call(client, "GET", path_of(options));
  if (!device) return tl::unexpected(device.error());
  api::ConnectInput input;
  input.key = {options.product_key, options.device_name};
  input.device_secret = text_of(device->as_object(), "deviceSecret");
  input.host = options.host;
  input.port = options.port;
  if (input.device_secret.empty()) {
    return base::fail(Errc::kNotFound, fmt::format("device '{}' has no secret to sign with", options.device_name));
  }
  return input;
}

Result<> connect_line(const DeviceOptions& options, AdminClient& client) {
  auto input = connect_input(options, client);
  if (!input) return tl::unexpected(input.error());
  boost::json::array connections;
  for (const auto transport : {api::Transport::kTcp, api::Transport::kTls, api::Transport::kWs, api::Transport::kWss}) {
    input->transport = transport;
    const auto parameters = api::connect_parameters(*input);
    if (!parameters) return tl::unexpected(parameters.error());
    connections.push_back(boost::json::object{{"transport", std::string(to_text(transport))},
                                              {"url", parameters->url},
                                              {"clientId", parameters->client_id},
                                              {"username", parameters->username},
                                              {"password", parameters->password}});
  }
  const auto lines = api::connect_lines(*input);
  if (!lines) return tl::unexpected(lines.error());
  if (!options.json) {
    for (const boost::json::value& connection : connections) {
      print_members(connection.as_object());
      fmt::print("\n");
    }
    for (const api::ConnectLine& line : *lines) fmt::print("# {}\n{}\n\n", line.title, line.text);
    return {};
  }
  boost::json::array json_lines;
  for (const api::ConnectLine& line : *lines) {
    json_lines.push_back(boost::json::object{{"title", line.title}, {"text", line.text}});
  }
  print_json(boost::json::object{{"productKey", options.product_key},
                                 {"deviceName", options.device_name},
                                 {"connections", std::move(connections)},
                                 {"lines", std::move(json_lines)}});
  return {};
}

// For the commands about one device.
Options add_device_command(CLI::App& parent, const char* name, const char* help, Body body, int& exit_status,
                           CLI::App** made = nullptr) {
  auto [command, options] = add_command(parent, name, help, body, exit_status);
  command->add_option("--product-key", options->product_key, "Product key")->required();
  command->add_option("--device-name", options->device_name, "Device name")->required();
  if (made != nullptr) *made = command;
  return options;
}

void add_create(CLI::App& parent, int& exit_status) {
  auto [command, options] =
      add_command(parent, "create", "Create devices; name and secret are generated when left out", create, exit_status);
  command->add_option("--product-key", options->product_key, "Product key")->required();
  CLI::Option* name = command->add_option("--device-name", options->device_name, "Device name");
  CLI::Option* secret = command->add_option("--device-secret", options->device_secret, "Device secret");
  command->add_flag("--without-secret", options->without_secret, "For a device that gets its secret when it registers")
      ->excludes(secret);
  command->add_option("--nickname", options->nickname, "Name for people");
  command->add_option("--count", options->count, "Make so many, with generated names and secrets")
      ->check(CLI::Range(std::int64_t{1}, kCountMax))
      ->excludes(name)
      ->excludes(secret);
}

void add_list(CLI::App& parent, int& exit_status) {
  auto [command, options] = add_command(parent, "list", "List devices", list, exit_status);
  CLI::Option* product_key = command->add_option("--product-key", options->product_key, "Only of this product");
  command->add_option("--prefix", options->prefix, "Only names that begin so")->needs(product_key);
  command->add_option("--status", options->status, "UNACTIVE, ONLINE, OFFLINE or DISABLE")
      ->check(CLI::IsMember({"UNACTIVE", "ONLINE", "OFFLINE", "DISABLE"}, CLI::ignore_case));
  command->add_option("--limit", options->limit, "At most so many")->check(CLI::PositiveNumber);
  command->add_flag("--secrets", options->secrets, "With device secrets");
}

void add_connect_line(CLI::App& parent, int& exit_status) {
  CLI::App* command = nullptr;
  const Options options = add_device_command(parent, "connect-line", "Print how to connect as a device, ready to paste",
                                             connect_line, exit_status, &command);
  command->add_option("--host", options->host, "Name or address of the server")->capture_default_str();
  command->add_option("--port", options->port, "Port of the server")->capture_default_str();
}

}  // namespace

void add_device_commands(CLI::App& app, int& exit_status) {
  CLI::App& device = *app.add_subcommand("device",
                                         "Devices: create, list, show, update, enable, disable, delete, kick, reset, "
                                         "bind-certificate, unbind-certificate, import, export, connect-line, log, "
                                         "doctor, flight");
  device.require_subcommand(1);
  add_create(device, exit_status);
  add_list(device, exit_status);
  add_device_command(device, "show", "Show a device with its secret", show, exit_status);
  CLI::App* command = nullptr;
  const Options change = add_device_command(device, "update", "Change a device", update, exit_status, &command);
  command->add_option("--nickname", change->nickname, "Name for people");
  command->add_option("--device-secret", change->device_secret, "New device secret");
  add_device_command(device, "enable", "Let a device connect again", enable, exit_status);
  add_device_command(device, "disable", "Disconnect a device and refuse it", disable, exit_status);
  add_device_command(device, "delete", "Delete a device", remove, exit_status);
  add_device_command(device, "kick", "Close a device's connection", kick, exit_status);
  add_device_command(device, "reset", "Let a device register once more, although it was online", reset, exit_status);
  add_transfer_commands(device, exit_status);
  add_device_certificate_commands(device, exit_status);
  add_connect_line(device, exit_status);
  add_device_journal_commands(device, exit_status);
}

}  // namespace mooring::app
