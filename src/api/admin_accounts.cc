// Account operations of the admin API. Passwords come in, hashes never go out.
#include <fmt/format.h>

#include <boost/json/array.hpp>

#include "api/admin_json.h"
#include "api/admin_operations.h"
#include "api/admin_password.h"
#include "api/admin_permissions.h"
#include "base/text.h"
#include "registry/names.h"

namespace mooring::api {
namespace {

boost::json::object deleted_account(const std::string& name) {
  return {{"name", name}, {"deleted", true}};
}

}  // namespace

ApiResult<Reply> list_accounts(AdminContext& context, const AdminRequest& request) {
  if (auto ok = request.allow({"limit", "cursor"}); !ok) return tl::unexpected(ok.error());
  const auto limit = request.limit(kListRowsDefault, kListRowsMax);
  if (!limit) return tl::unexpected(limit.error());
  const auto page = context.registry.list_accounts({request.value("cursor"), *limit});
  if (!page) return refuse(page.error());
  boost::json::array items;
  for (const registry::Account& account : page->items) items.push_back(to_json(account));
  boost::json::object body{{"items", std::move(items)}};
  if (!page->next.empty()) body["nextCursor"] = page->next;
  return Reply{std::move(body)};
}

ApiResult<Reply> create_account(AdminContext& context, const AdminRequest& request) {
  const auto object = parse_object(request.body, {"name", "password", "permissions"});
  if (!object) return tl::unexpected(object.error());
  const auto name = read_text(*object, "name");
  if (!name) return tl::unexpected(name.error());
  if (!*name) return refuse(400, "bad_request", "'name' is missing");
  auto permissions = read_permissions(*object);
  if (!permissions) return tl::unexpected(permissions.error());
  if (auto ok = registry::check_account_name(**name); !ok) return refuse(ok.error());
  auto given = read_text(*object, "password");
  if (!given) return tl::unexpected(given.error());
  const NewPassword password(std::move(*given));
  auto hash = hash_of(password);
  if (!hash) return tl::unexpected(hash.error());
  const auto created = context.registry.create_account(
      {**name, std::move(*hash), std::move(*permissions).value_or(std::vector<registry::AccountPermission>())});
  if (!created) return refuse(created.error());
  boost::json::object body = to_json(*created);
  if (password.made_up()) body["password"] = password.text();
  return Reply{std::move(body), 201};
}

ApiResult<Reply> show_account(AdminContext& context, const AdminRequest& request) {
  const auto account = context.registry.find_account(request.path[1]);
  if (!account) return refuse(account.error());
  if (!*account) {
    return refuse(404, "not_found", fmt::format("there is no account '{}'", base::printable(request.path[1], 80)));
  }
  return Reply{to_json(**account)};
}

ApiResult<Reply> update_account(AdminContext& context, const AdminRequest& request) {
  const auto object = parse_object(request.body, {"password", "permissions", "version"});
  if (!object) return tl::unexpected(object.error());
  registry::AccountChange change;
  auto permissions = read_permissions(*object);
  if (!permissions) return tl::unexpected(permissions.error());
  change.permissions = std::move(*permissions);
  const auto version = read_version(*object);
  if (!version) return tl::unexpected(version.error());
  change.seen_version = *version;
  auto given = read_text(*object, "password");
  if (!given) return tl::unexpected(given.error());
  if (*given) {
    const Password password(std::move(**given));
    auto hash = hash_of(password);
    if (!hash) return tl::unexpected(hash.error());
    change.password_hash = std::move(*hash);
  }
  const auto account = context.registry.update_account(request.path[1], change);
  if (!account) return refuse(account.error());
  return Reply{to_json(*account)};
}

ApiResult<Reply> delete_account(AdminContext& context, const AdminRequest& request) {
  if (auto ok = context.registry.delete_account(request.path[1]); !ok) return refuse(ok.error());
  return Reply{deleted_account(request.path[1])};
}

}  // namespace mooring::api
