#include "user_commands.h"

#include "base/percent.h"
#include "crypto/random.h"
#include "password_input.h"
#include "registry_command.h"

namespace mooring::app {
namespace {

using base::Result;

constexpr std::size_t kGeneratedPasswordCharacters = 20;
constexpr char kPasswordHelp[] = "Password; without it one is generated";

struct UserOptions : CommonOptions {
  std::string name;
  std::string role;
  PasswordOptions password;
};

std::string path_of(const UserOptions& options) {
  return "users/" + base::percent_encoded(options.name);
}

Result<> create(const UserOptions& options, AdminClient& client) {
  boost::json::object body{{"name", options.name}, {"role", options.role}};
  if (auto ok = add_password(options.password, body); !ok) return ok;
  return print_answer(options, call(client, "POST", "users", body));
}

Result<> list(const UserOptions& options, AdminClient& client) {
  return print_list(client, "users", options.json, {"name", "role", "lastSignIn", "mustChangePassword"});
}

Result<> update(const UserOptions& options, AdminClient& client) {
  return print_answer(options, call(client, "PATCH", path_of(options), boost::json::object{{"role", options.role}}));
}

// For whoever forgot it: another one, which must be changed at the next sign-in.
Result<> reset(const UserOptions& options, AdminClient& client) {
  boost::json::object body;
  if (auto ok = add_password(options.password, body); !ok) return ok;
  const bool generated = body.empty();
  if (generated) {
    body["password"] = crypto::random_alphanumeric(crypto::system_random(), kGeneratedPasswordCharacters);
  }
  auto answer = call(client, "PATCH", path_of(options), body);
  if (answer && generated) answer->as_object()["password"] = body["password"];
  return print_answer(options, answer);
}

Result<> remove(const UserOptions& options, AdminClient& client) {
  return print_answer(options, call(client, "DELETE", path_of(options)));
}

void add_name(CLI::App& command, UserOptions& options) {
  command.add_option("name", options.name, "Name")->type_name("NAME")->required();
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
    add_name(*command, *options);
    add_role_option(*command, options->role);
    add_password_options(*command, options->password, kPasswordHelp);
  }
  add_command(user, "list", "List users", list, exit_status);
  {
    auto [command, options] = add_command(user, "update", "Give a user another role", update, exit_status);
    add_name(*command, *options);
    add_role_option(*command, options->role);
  }
  {
    auto [command, options] = add_command(
        user, "reset", "Give a user another password, which must be changed at the next sign-in", reset, exit_status);
    add_name(*command, *options);
    add_password_options(*command, options->password, kPasswordHelp);
  }
  {
    auto [command, options] = add_command(user, "delete", "Delete a user", remove, exit_status);
    add_name(*command, *options);
  }
}

}  // namespace mooring::app
