// Operations on people who sign in to the console. Passwords come in, hashes never go out.
#include <fmt/format.h>

#include <boost/json/array.hpp>

#include "api/admin_operations.h"
#include "api/admin_password.h"
#include "api/user_password.h"
#include "base/text.h"
#include "registry/names.h"

namespace mooring::api {
namespace {

boost::json::object to_json(AdminContext& context, const registry::User& user) {
  boost::json::object json;
  json["name"] = user.name;
  json["role"] = registry::to_text(user.role);
  json["created"] = time_json(user.created_ms);
  json["lastSignIn"] = time_json(user.last_sign_in_ms);
  json["mustChangePassword"] = user.must_change_password;
  json["sessions"] = context.live.book == nullptr ? 0 : context.live.book->sessions_of(user.name);
  json["version"] = user.version;
  return json;
}

ApiResult<std::optional<registry::Role>> read_role(const boost::json::object& object) {
  const auto text = read_text(object, "role");
  if (!text) return tl::unexpected(text.error());
  if (!*text) return std::optional<registry::Role>();
  const auto role = registry::role_from_text(**text);
  if (!role) return refuse(400, "invalid", "the role must be viewer, operator or admin");
  return role;
}

ApiResult<std::string> hash_of_chosen(const Password& password) {
  if (auto ok = check_user_password(password.text()); !ok) return refuse(ok.error());
  return hash_of(password);
}

}  // namespace

ApiResult<Reply> list_users(AdminContext& context, const AdminRequest& request) {
  if (auto ok = request.allow({}); !ok) return tl::unexpected(ok.error());
  const auto users = context.registry.list_users();
  if (!users) return refuse(users.error());
  boost::json::array items;
  for (const registry::User& user : *users) items.push_back(to_json(context, user));
  return Reply{boost::json::object{{"items", std::move(items)}}};
}

ApiResult<Reply> show_user(AdminContext& context, const AdminRequest& request) {
  const auto user = context.registry.find_user(request.path[1]);
  if (!user) return refuse(user.error());
  if (!*user)
    return refuse(404, "not_found", fmt::format("there is no user '{}'", base::printable(request.path[1], 80)));
  return Reply{to_json(context, **user)};
}

ApiResult<Reply> create_user(AdminContext& context, const AdminRequest& request) {
  const auto object = parse_object(request.body, {"name", "role", "password"});
  if (!object) return tl::unexpected(object.error());
  const auto name = read_text(*object, "name");
  if (!name) return tl::unexpected(name.error());
  const auto role = read_role(*object);
  if (!role) return tl::unexpected(role.error());
  if (!*name || !*role) return refuse(400, "bad_request", "'name' and 'role' are needed");
  if (auto ok = registry::check_account_name(**name); !ok) return refuse(ok.error());
  auto given = read_text(*object, "password");
  if (!given) return tl::unexpected(given.error());
  const NewPassword password(std::move(*given));
  auto hash = hash_of_chosen(password);
  if (!hash) return tl::unexpected(hash.error());
  const auto created = context.registry.create_user({**name, **role, std::move(*hash), true});
  if (!created) return refuse(created.error());
  boost::json::object body = to_json(context, *created);
  if (password.made_up()) body["password"] = password.text();
  return Reply{std::move(body), 201};
}

ApiResult<Reply> update_user(AdminContext& context, const AdminRequest& request) {
  const auto object = parse_object(request.body, {"role", "password", "version"});
  if (!object) return tl::unexpected(object.error());
  registry::UserChange change;
  const auto role = read_role(*object);
  if (!role) return tl::unexpected(role.error());
  const auto version = read_version(*object);
  if (!version) return tl::unexpected(version.error());
  change.role = *role;
  change.seen_version = *version;
  auto given = read_text(*object, "password");
  if (!given) return tl::unexpected(given.error());
  if (*given) {
    const Password password(std::move(**given));
    // Whoever finds a session open must not be able to take it over for good.
    if (context.caller.user == request.path[1]) {
      return refuse(403, "forbidden", "one's own password is changed at session/password, with the current one");
    }
    auto hash = hash_of_chosen(password);
    if (!hash) return tl::unexpected(hash.error());
    change.password_hash = std::move(*hash);
    change.must_change_password = true;  // whoever chose it is not whose it is
  }
  const auto user = context.registry.update_user(request.path[1], change);
  if (!user) return refuse(user.error());
  return Reply{to_json(context, *user)};
}

ApiResult<Reply> delete_user(AdminContext& context, const AdminRequest& request) {
  const std::string& name = request.path[1];
  if (auto ok = context.registry.delete_user(name); !ok) return refuse(ok.error());
  return Reply{boost::json::object{{"name", name}, {"deleted", true}}};
}

}  // namespace mooring::api
