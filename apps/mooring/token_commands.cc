#include "token_commands.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <memory>

#include "base/percent.h"
#include "duration.h"
#include "registry_command.h"

namespace mooring::app {
namespace {

using base::Result;

struct TokenOptions : CommonOptions {
  std::string name;
  std::string role;
  std::string lifetime;
};

Result<> create(const TokenOptions& options, AdminClient& client) {
  boost::json::object body{{"name", options.name}, {"role", options.role}};
  if (!options.lifetime.empty()) body["lifetime"] = parse_duration(options.lifetime).value();
  return print_answer(options, call(client, "POST", "tokens", body));
}

Result<> list(const TokenOptions& options, AdminClient& client) {
  return print_list(client, "tokens", options.json, {"name", "role", "created", "expires"});
}

Result<> revoke(const TokenOptions& options, AdminClient& client) {
  return print_answer(options, call(client, "DELETE", "tokens/" + base::percent_encoded(options.name)));
}

}  // namespace

void add_token_commands(CLI::App& app, int& exit_status) {
  CLI::App& token = *app.add_subcommand("token", "Tokens for the API and for --server: create, list, revoke");
  token.require_subcommand(1);
  {
    auto [command, options] = add_command(token, "create", "Create a token; it is printed this once", create,
                                          DataFolder::kCreateIfMissing, exit_status);
    command->add_option("name", options->name, "Name, for people")->type_name("NAME")->required();
    add_role_option(*command, options->role);
    command
        ->add_option("--lifetime", options->lifetime, "30m, 12h, 90d; without it the token lives until it is revoked")
        ->type_name("TIME")
        ->check([](const std::string& text) { return parse_duration(text) ? "" : "write it as 30m, 12h or 90d"; });
  }
  add_command(token, "list", "List tokens", list, DataFolder::kMustExist, exit_status);
  {
    auto [command, options] =
        add_command(token, "revoke", "Revoke a token, at once", revoke, DataFolder::kMustExist, exit_status);
    command->add_option("name", options->name, "Name")->type_name("NAME")->required();
  }
}

}  // namespace mooring::app
