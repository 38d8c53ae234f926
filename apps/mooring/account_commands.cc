#include "account_commands.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <memory>

#include "base/percent.h"
#include "base/text.h"
#include "mqtt/topic.h"
#include "password_input.h"
#include "registry/names.h"
#include "registry_command.h"

namespace mooring::app {
namespace {

using base::Errc;
using base::Result;

struct AccountOptions : CommonOptions {
  std::string name;
  PasswordOptions password;
  std::vector<std::string> allow;
  std::vector<std::string> add_allow;
  std::vector<std::string> remove_allow;
};

std::string account_path(const std::string& name) {
  return "accounts/" + base::percent_encoded(name);
}

boost::json::array texts(const std::vector<std::string>& items) {
  return boost::json::array(items.begin(), items.end());
}

Result<> create(const AccountOptions& options, AdminClient& client) {
  boost::json::object body{{"name", options.name}, {"permissions", texts(options.allow)}};
  if (auto ok = add_password(options.password, body); !ok) return ok;
  return print_answer(options, call(client, "POST", "accounts", body));
}

Result<> list(const AccountOptions& options, AdminClient& client) {
  return print_list(client, "accounts?limit=1000", options.json, {"name", "created", "permissions"});
}

// The permissions there are, without the removed and with the added ones.
Result<boost::json::array> merged_permissions(const AccountOptions& options, AdminClient& client) {
  const auto account = call(client, "GET", account_path(options.name));
  if (!account) return tl::unexpected(account.error());
  std::vector<std::string> permissions;
  for (const boost::json::value& item : account->at("permissions").as_array()) {
    permissions.emplace_back(item.as_string().data(), item.as_string().size());
  }
  for (const std::string& removed : options.remove_allow) {
    if (std::erase(permissions, removed) == 0) {
      return base::fail(Errc::kNotFound, "account '" + base::printable(options.name, 80) + "' has no permission '" +
                                             base::printable(removed, 160) + "'");
    }
  }
  for (const std::string& added : options.add_allow) {
    if (std::ranges::find(permissions, added) == permissions.end()) permissions.push_back(added);
  }
  return texts(permissions);
}

Result<> update(const AccountOptions& options, AdminClient& client) {
  boost::json::object body;
  if (!options.allow.empty()) {
    body["permissions"] = texts(options.allow);
  } else if (!options.add_allow.empty() || !options.remove_allow.empty()) {
    auto permissions = merged_permissions(options, client);
    if (!permissions) return tl::unexpected(permissions.error());
    body["permissions"] = std::move(*permissions);
  }
  if (auto ok = add_password(options.password, body); !ok) return ok;
  if (body.empty()) return base::fail(Errc::kInvalidArgument, "say what to change: see account update --help");
  return print_answer(options, call(client, "PATCH", account_path(options.name), body));
}

Result<> remove(const AccountOptions& options, AdminClient& client) {
  return print_answer(options, call(client, "DELETE", account_path(options.name)));
}

// Empty, or what is wrong: before anything is made or asked.
std::string check_permission(const std::string& text) {
  const auto permission = registry::parse_account_permission(text);
  if (!permission) return permission.error().message;
  if (mqtt::is_valid_filter(permission->filter)) return {};
  return "'" + base::printable(permission->filter, 160) + "' is no topic filter";
}

CLI::Option* add_allow_option(CLI::App& command, const char* name, std::vector<std::string>& target, const char* help) {
  return command.add_option(name, target, help)
      ->type_name("RIGHT:FILTER")
      ->allow_extra_args(false)
      ->check(check_permission);
}

void add_name(CLI::App& command, AccountOptions& options) {
  command.add_option("name", options.name, "Name, which is the MQTT user name")
      ->type_name("NAME")
      ->required()
      ->check([](const std::string& text) {
        const auto ok = registry::check_account_name(text);
        return ok ? std::string() : ok.error().message;
      });
}

}  // namespace

void add_account_commands(CLI::App& app, int& exit_status) {
  CLI::App& account = *app.add_subcommand(
      "account", "Accounts, for back ends and people that speak MQTT: create, list, update, delete");
  account.require_subcommand(1);
  {
    auto [command, options] =
        add_command(account, "create", "Create an account; without a password one is generated and printed once",
                    create, DataFolder::kCreateIfMissing, exit_status);
    add_name(*command, *options);
    add_password_options(*command, options->password, "Password");
    add_allow_option(*command, "--allow", options->allow,
                     "What it may do, such as subscribe:/+/+/user/# (repeatable); RIGHT is publish, subscribe or all");
  }
  {
    auto [command, options] =
        add_command(account, "list", "List accounts and what they may do", list, DataFolder::kMustExist, exit_status);
    static_cast<void>(options);
  }
  {
    auto [command, options] = add_command(
        account, "update", "Change an account; what is left out stays. A new password closes the account's connections",
        update, DataFolder::kMustExist, exit_status);
    add_name(*command, *options);
    add_password_options(*command, options->password, "New password");
    CLI::Option* allow = add_allow_option(*command, "--allow", options->allow,
                                          "All it may do from now on, in place of what it could (repeatable)");
    add_allow_option(*command, "--add-allow", options->add_allow, "What it may do as well (repeatable)")
        ->excludes(allow);
    add_allow_option(*command, "--remove-allow", options->remove_allow,
                     "What it may not do any more, as account list shows it (repeatable)")
        ->excludes(allow);
  }
  {
    auto [command, options] = add_command(account, "delete", "Delete an account; its connections are closed", remove,
                                          DataFolder::kMustExist, exit_status);
    add_name(*command, *options);
  }
}

}  // namespace mooring::app
