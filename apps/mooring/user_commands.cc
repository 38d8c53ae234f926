#include "user_commands.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <memory>

#include "crypto/random.h"
#include "password_input.h"
#include "registry_output.h"

namespace mooring::app {
namespace {

using base::Result;

constexpr std::size_t kGeneratedPasswordCharacters = 20;

struct UserOptions : CommonOptions {
  std::string name;
  std::string role;
  std::string password;
  bool password_stdin = false;
};
using Options = std::shared_ptr<UserOptions>;
using Body = Result<> (*)(const UserOptions&, AdminClient&);

Result<> print(const UserOptions& options, const Result<boost::json::value>& answer) {
  if (!answer) return tl::unexpected(answer.error());
  options.json ? print_json(*answer) : print_members(answer->as_object());
  return {};
}

std::string path_of(const UserOptions& options) {
  return "users/" + percent_encoded(options.name);
}

// Puts the password into the body, if there is one.
Result<> add_password(const UserOptions& options, boost::json::object& body) {
  if (!options.password.empty()) body["password"] = options.password;
  if (!options.password_stdin) return {};
  const auto password = read_password();
  if (!password) return tl::unexpected(password.error());
  body["password"] = *password;
  return {};
}

Result<> create(const UserOptions& options, AdminClient& client) {
  boost::json::object body{{"name", options.name}, {"role", options.role}};
  if (auto ok = add_password(options, body); !ok) return ok;
  return print(options, call(client, "POST", "users", body));
}

Result<> list(const UserOptions& options, AdminClient& client) {
  ListPrinter printer(options.json, {"name", "role", "lastSignIn", "mustChangePassword"});
  const auto users = call(client, "GET", "users");
  if (!users) return tl::unexpected(users.error());
  printer.add(users->at("items").as_array());
  printer.finish();
  return {};
}

Result<> update(const UserOptions& options, AdminClient& client) {
  return print(options, call(client, "PATCH", path_of(options), boost::json::object{{"role", options.role}}));
}

// For whoever forgot it: another one, which must be changed at the next sign-in.
Result<> reset(const UserOptions& options, AdminClient& client) {
  boost::json::object body;
  if (auto ok = add_password(options, body); !ok) return ok;
  const bool generated = body.empty();
  if (generated) {
    body["password"] = crypto::random_alphanumeric(crypto::system_random(), kGeneratedPasswordCharacters);
  }
  auto answer = call(client, "PATCH", path_of(options), body);
  if (answer && generated) answer->as_object()["password"] = body["password"];
  return print(options, answer);
}

Result<> remove(const UserOptions& options, AdminClient& client) {
  return print(options, call(client, "DELETE", path_of(options)));
}

std::pair<CLI::App*, Options> add_command(CLI::App& parent, const char* name, const char* help, Body body,
                                          DataFolder folder, int& exit_status) {
  auto options = std::make_shared<UserOptions>();
  CLI::App* command = parent.add_subcommand(name, help);
  add_common_options(*command, *options);
  if (body != list) command->add_option("name", options->name, "Name")->type_name("NAME")->required();
  command->callback([options, body, folder, &exit_status] {
    exit_status = run_with_client(*options, folder, [&](AdminClient& client) { return body(*options, client); });
  });
  return {command, options};
}

void add_role_option(CLI::App& command, UserOptions& options) {
  command.add_option("--role", options.role, "viewer reads, operator operates devices too, admin does everything")
      ->required()
      ->check(CLI::IsMember({"viewer", "operator", "admin"}));
}

void add_password_options(CLI::App& command, UserOptions& options) {
  CLI::Option* given = command.add_option("--password", options.password, "Password; without it one is generated");
  given->check([](const std::string& text) { return text.empty() ? "the password is empty" : ""; });
  command
      .add_flag("--password-stdin", options.password_stdin,
                "Read the password from stdin, so that it shows neither in the list of processes nor in the history")
      ->excludes(given);
}

}  // namespace

void add_user_commands(CLI::App& app, int& exit_status) {
  CLI::App& user =
      *app.add_subcommand("user", "People who sign in to the console: create, list, update, reset, delete");
  user.require_subcommand(1);
  {
    auto [command, options] =
        add_command(user, "create", "Create a user, who must change the password at the first sign-in", create,
                    DataFolder::kCreateIfMissing, exit_status);
    add_role_option(*command, *options);
    add_password_options(*command, *options);
  }
  add_command(user, "list", "List users", list, DataFolder::kMustExist, exit_status);
  {
    auto [command, options] =
        add_command(user, "update", "Give a user another role", update, DataFolder::kMustExist, exit_status);
    add_role_option(*command, *options);
  }
  {
    auto [command, options] =
        add_command(user, "reset", "Give a user another password, which must be changed at the next sign-in", reset,
                    DataFolder::kMustExist, exit_status);
    add_password_options(*command, *options);
  }
  add_command(user, "delete", "Delete a user", remove, DataFolder::kMustExist, exit_status);
}

}  // namespace mooring::app
