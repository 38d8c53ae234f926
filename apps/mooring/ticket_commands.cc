#include "ticket_commands.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <memory>
#include <vector>

#include "base/percent.h"
#include "duration.h"
#include "mqtt/topic.h"
#include "password_input.h"
#include "registry/names.h"
#include "registry_output.h"

namespace mooring::app {
namespace {

using base::Errc;
using base::Result;

struct TicketOptions : CommonOptions {
  std::string id;
  std::string product_key;
  std::string device_name;
  std::string account;
  std::string as;
  std::vector<std::string> allow;
  std::vector<std::string> origins;
  std::string client_id;
  std::string client_id_prefix;
  std::string lifetime;
  std::string session;
  bool all = false;
  std::string sign_in_as;
  std::string password;
  bool password_stdin = false;
  std::string host = "localhost";
  std::uint16_t port = 443;
};
using Options = std::shared_ptr<TicketOptions>;
using Body = Result<> (*)(const TicketOptions&, AdminClient&);

boost::json::array texts(const std::vector<std::string>& items) {
  return boost::json::array(items.begin(), items.end());
}

void add_holder(const TicketOptions& options, boost::json::object& body) {
  if (!options.product_key.empty()) body["productKey"] = options.product_key;
  if (!options.device_name.empty()) body["deviceName"] = options.device_name;
  if (!options.account.empty()) body["account"] = options.account;
}

boost::json::object wanted_ticket(const TicketOptions& options) {
  boost::json::object body;
  add_holder(options, body);
  if (!options.as.empty()) body["as"] = options.as;
  if (!options.allow.empty()) body["permissions"] = texts(options.allow);
  if (!options.origins.empty()) body["origins"] = texts(options.origins);
  if (!options.client_id.empty()) body["clientId"] = options.client_id;
  if (!options.client_id_prefix.empty()) body["clientIdPrefix"] = options.client_id_prefix;
  if (!options.lifetime.empty()) body["lifetime"] = parse_duration(options.lifetime).value();
  if (!options.session.empty()) body["session"] = parse_duration(options.session).value();
  return body;
}

std::string quoted(const std::string& text) {
  return boost::json::serialize(boost::json::string(text));
}

// What the page pastes. The server of --server is the page's server, too.
std::string page_url(const TicketOptions& options) {
  std::string host = options.host;
  std::uint16_t port = options.port;
  if (const auto url = parse_server_url(options.remote.url); url) {
    host = url->host;
    port = url->port;
  }
  if (host.find(':') != std::string::npos) host = '[' + host + ']';
  return fmt::format("wss://{}:{}/mqtt", host, port);
}

// The first topic that the page may subscribe to.
std::string example_filter(const boost::json::object& ticket) {
  for (const boost::json::value& item : ticket.at("permissions").as_array()) {
    const auto permission = registry::parse_account_permission({item.as_string().data(), item.as_string().size()});
    if (permission && permission->right != registry::AccountRight::kPublish) return permission->filter;
  }
  if (!ticket.contains("deviceName")) return "#";
  const bool device = text_of(ticket, "as") == "device";
  return fmt::format("/{}/{}/{}", text_of(ticket, "productKey"), text_of(ticket, "deviceName"),
                     device ? "user/get" : "user/#");
}

std::string mqtt_js(const TicketOptions& options, const boost::json::object& ticket) {
  std::string more;
  if (const std::string id = text_of(ticket, "clientId"); !id.empty()) {
    more += fmt::format("  clientId: {},\n", quoted(id));
  } else if (const std::string prefix = text_of(ticket, "clientIdPrefix"); !prefix.empty()) {
    more += fmt::format("  clientId: {} + Math.random().toString(36).slice(2),\n", quoted(prefix));
  }
  if (text_of(ticket, "session") != "0") more += "  clean: false,\n";
  return fmt::format(
      "const client = mqtt.connect({}, {{\n"
      "  username: {},\n"
      "  password: {},\n"
      "{}"
      "}});\n"
      "client.on('connect', () => client.subscribe({}));\n"
      "client.on('message', (topic, payload) => console.log(topic, payload.toString()));\n",
      quoted(page_url(options)), quoted(text_of(ticket, "username")), quoted(text_of(ticket, "password")), more,
      quoted(example_filter(ticket)));
}

Result<> mint(const TicketOptions& options, AdminClient& client) {
  const auto answer = call(client, "POST", "tickets", wanted_ticket(options));
  if (!answer) return tl::unexpected(answer.error());
  const std::string lines = mqtt_js(options, answer->as_object());
  if (options.json) {
    boost::json::object ticket = answer->as_object();
    ticket["url"] = page_url(options);
    ticket["mqttJs"] = lines;
    print_json(ticket);
    return {};
  }
  print_members(answer->as_object());
  fmt::print("\n# MQTT.js, in a page{}\n{}", answer->at("origins").as_array().empty() ? "" : " of one of these origins",
             lines);
  return {};
}

Result<> list(const TicketOptions& options, AdminClient& client) {
  std::string target = "tickets?limit=1000";
  if (!options.product_key.empty()) target += "&productKey=" + base::percent_encoded(options.product_key);
  if (!options.device_name.empty()) target += "&deviceName=" + base::percent_encoded(options.device_name);
  if (!options.account.empty()) target += "&account=" + base::percent_encoded(options.account);
  if (options.all) target += "&all=true";
  return print_list(client, target, options.json,
                    {"id", "state", "expires", "productKey", "deviceName", "account", "as", "permissions", "mintedBy"});
}

Result<> revoke(const TicketOptions& options, AdminClient& client) {
  Result<boost::json::value> answer;
  if (!options.id.empty()) {
    answer = call(client, "DELETE", "tickets/" + base::percent_encoded(options.id));
  } else if (options.all) {
    boost::json::object body;
    add_holder(options, body);
    answer = call(client, "POST", "tickets:revoke", body);
  } else {
    return base::fail(Errc::kInvalidArgument, "say which: the ticket's id, or --all of a device or an account");
  }
  return print_answer(options, answer);
}

// Signs in as an account, if one is named.
Result<> prepare(TicketOptions& options) {
  if (options.sign_in_as.empty()) return {};
  options.remote.account = options.sign_in_as;
  options.remote.password = options.password;
  if (!options.password_stdin) return {};
  auto password = read_password();
  if (!password) return tl::unexpected(password.error());
  options.remote.password = std::move(*password);
  return {};
}

std::pair<CLI::App*, Options> add_command(CLI::App& parent, const char* name, const char* help, Body body,
                                          int& exit_status) {
  auto options = std::make_shared<TicketOptions>();
  CLI::App* command = parent.add_subcommand(name, help);
  add_common_options(*command, *options);
  const auto group = "As an account, with --server, for its own tickets";
  CLI::Option* account =
      command->add_option("--sign-in-as", options->sign_in_as, "Name of the account, in place of a token")
          ->type_name("NAME")
          ->group(group)
          ->needs(command->get_option("--server"))
          ->excludes(command->get_option("--token"));
  CLI::Option* password =
      command->add_option("--password", options->password, "Its password")->group(group)->needs(account);
  command->add_flag("--password-stdin", options->password_stdin, "Read the password from stdin")
      ->group(group)
      ->needs(account)
      ->excludes(password);
  command->callback([options, body, &exit_status] {
    if (const auto ready = prepare(*options); !ready) {
      fmt::print(stderr, "mooring: {}\n", ready.error().message);
      exit_status = 2;
      return;
    }
    exit_status =
        run_with_client(*options, DataFolder::kMustExist, [&](AdminClient& client) { return body(*options, client); });
  });
  return {command, options};
}

void add_holder_options(CLI::App& command, TicketOptions& options, const char* of_device, const char* of_account) {
  CLI::Option* product_key = command.add_option("--product-key", options.product_key, "Product key");
  CLI::Option* device = command.add_option("--device-name", options.device_name, of_device)->needs(product_key);
  product_key->needs(device);
  command.add_option("--account", options.account, of_account)->excludes(device);
}

std::string check_permission(const std::string& text) {
  const auto permission = registry::parse_account_permission(text);
  if (!permission) return permission.error().message;
  return mqtt::is_valid_filter(permission->filter) ? std::string() : "'" + permission->filter + "' is no topic filter";
}

std::string check_duration(const std::string& text) {
  return parse_duration(text) ? std::string() : "write it as 90s, 15m, 12h or 7d";
}

void add_mint(CLI::App& parent, int& exit_status) {
  auto [command, options] =
      add_command(parent, "mint", "Mint a ticket; its password is printed this once", mint, exit_status);
  add_holder_options(*command, *options, "Device the ticket is bound to", "Account the ticket is bound to");
  command
      ->add_option(
          "--as", options->as,
          "What a device's ticket is for: app watches and commands the device (the default), device acts as it")
      ->check(CLI::IsMember({"app", "device"}));
  command
      ->add_option("--allow", options->allow,
                   "Only this of all that the device or account may, such as subscribe:/pk/dn/user/# (repeatable)")
      ->type_name("RIGHT:FILTER")
      ->allow_extra_args(false)
      ->check(check_permission);
  command
      ->add_option("--origin", options->origins, "Only pages from there, such as https://app.example.com (repeatable)")
      ->type_name("URL")
      ->allow_extra_args(false);
  CLI::Option* client_id = command->add_option("--client-id", options->client_id, "Only with this client identifier");
  command->add_option("--client-id-prefix", options->client_id_prefix, "Only with client identifiers that begin so")
      ->excludes(client_id);
  command->add_option("--lifetime", options->lifetime, "90s, 15m, 12h; default 1h, at most limits.ticket_lifetime_s")
      ->type_name("TIME")
      ->check(check_duration);
  command
      ->add_option("--session", options->session, "How long its session may outlive a connection; default: not at all")
      ->type_name("TIME")
      ->check(check_duration);
  command->add_option("--host", options->host, "Name of the server in the printed lines")->capture_default_str();
  command->add_option("--port", options->port, "Port of the server in the printed lines")->capture_default_str();
}

}  // namespace

void add_ticket_commands(CLI::App& app, int& exit_status) {
  CLI::App& ticket = *app.add_subcommand("ticket", "Tickets, short-lived credentials for browsers: mint, list, revoke");
  ticket.require_subcommand(1);
  add_mint(ticket, exit_status);
  {
    auto [command, options] = add_command(ticket, "list", "List tickets, without their passwords", list, exit_status);
    add_holder_options(*command, *options, "Only of this device", "Only of this account");
    command->add_flag("--all", options->all, "Those that expired or were revoked lately, too");
  }
  {
    auto [command, options] =
        add_command(ticket, "revoke", "Revoke tickets; their connections are closed", revoke, exit_status);
    CLI::Option* id = command->add_option("id", options->id, "Id of the ticket")->type_name("ID");
    add_holder_options(*command, *options, "All of this device, with --all", "All of this account, with --all");
    command->add_flag("--all", options->all, "All of a device or an account")->excludes(id);
  }
}

}  // namespace mooring::app
