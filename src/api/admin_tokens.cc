// Token operations of the admin API. A token is answered once, when it is made; what is kept of it is a hash.
#include <fmt/format.h>

#include <boost/json/array.hpp>

#include "api/admin_json.h"
#include "api/admin_operations.h"
#include "api/api_token_text.h"
#include "crypto/random.h"
#include "crypto/secret_hash.h"

namespace mooring::api {

ApiResult<Reply> list_tokens(AdminContext& context, const AdminRequest& request) {
  if (auto ok = request.allow({"limit"}); !ok) return tl::unexpected(ok.error());
  const auto tokens = context.registry.list_api_tokens();
  if (!tokens) return refuse(tokens.error());
  boost::json::array items;
  for (const registry::ApiToken& token : *tokens) items.push_back(to_json(token));
  return Reply{boost::json::object{{"items", std::move(items)}}};
}

ApiResult<Reply> create_token(AdminContext& context, const AdminRequest& request) {
  const auto object = parse_object(request.body, {"name", "role", "lifetime"});
  if (!object) return tl::unexpected(object.error());
  const auto name = read_text(*object, "name");
  if (!name) return tl::unexpected(name.error());
  const auto role_text = read_text(*object, "role");
  if (!role_text) return tl::unexpected(role_text.error());
  const auto lifetime = read_number(*object, "lifetime", 1, registry::kApiTokenLifetimeMaxS);
  if (!lifetime) return tl::unexpected(lifetime.error());
  if (!*name || !*role_text) return refuse(400, "bad_request", "'name' and 'role' are needed");
  const auto role = registry::role_from_text(**role_text);
  if (!role) return refuse(400, "invalid", "the role must be viewer, operator or admin");
  const TokenText text = make_token(crypto::system_random());
  const auto token = context.registry.create_api_token(
      {text.id, **name, *role, crypto::hash_secret(text.secret), lifetime->value_or(0)});
  if (!token) return refuse(token.error());
  boost::json::object body = to_json(*token);
  body["token"] = to_text(text);
  return Reply{std::move(body), 201};
}

ApiResult<Reply> revoke_token(AdminContext& context, const AdminRequest& request) {
  const std::string& name = request.path[1];
  if (auto ok = context.registry.delete_api_token(name); !ok) return refuse(ok.error());
  return Reply{boost::json::object{{"name", name}, {"revoked", true}}};
}

}  // namespace mooring::api
