// Tokens of the admin API in the SQLite registry.
#include <fmt/format.h>

#include "base/text.h"
#include "crypto/secret_hash.h"
#include "registry/names.h"
#include "registry/sqlite_registry_impl.h"

namespace mooring::registry {
namespace {

base::Result<> check_new_token(const NewApiToken& token) {
  if (token.name.empty() || !base::is_utf8(token.name) || base::utf8_length(token.name) > kApiTokenNameCharactersMax ||
      !check_title(token.name, "name")) {
    return base::fail(
        base::Errc::kInvalidArgument,
        fmt::format("a token's name has 1 to {} characters and no control characters", kApiTokenNameCharactersMax));
  }
  if (token.id.empty() || token.secret_hash.size() != crypto::kSecretHashBytes) {
    return base::fail(base::Errc::kInvalidArgument, "the token has no id or its secret is not given as a hash");
  }
  if (token.lifetime_s > kApiTokenLifetimeMaxS) {
    return base::fail(base::Errc::kInvalidArgument, "a token lives for at most ten years, or for ever");
  }
  return {};
}

}  // namespace

std::string_view to_text(Role role) {
  switch (role) {
    case Role::kViewer:
      return "viewer";
    case Role::kOperator:
      return "operator";
    case Role::kAdmin:
      return "admin";
  }
  return {};
}

std::optional<Role> role_from_text(std::string_view text) {
  for (const Role role : {Role::kViewer, Role::kOperator, Role::kAdmin}) {
    if (to_text(role) == text) return role;
  }
  return std::nullopt;
}

base::Result<ApiToken> SqliteRegistry::create_api_token(const NewApiToken& wanted) {
  if (auto ok = check_new_token(wanted); !ok) return tl::unexpected(ok.error());
  return change(true, [&](SqliteConnection& connection, Changes& changes) -> base::Result<ApiToken> {
    const base::WallMs now = clock_.wall_ms();
    const base::WallMs expires = wanted.lifetime_s == 0 ? 0 : now + std::int64_t{wanted.lifetime_s} * 1000;
    Query(connection, "DELETE FROM api_token WHERE expires_ms <> 0 AND expires_ms <= ?", now).run();
    if (Query(connection, "SELECT 1 FROM api_token WHERE name = ?", wanted.name).step()) {
      return base::fail(base::Errc::kAlreadyExists,
                        fmt::format("a token named '{}' exists already; revoke it first", wanted.name));
    }
    Query count(connection, "SELECT count(*) FROM api_token");
    count.step();
    if (std::cmp_greater_equal(count.integer(0), kApiTokensMax)) {
      return base::fail(base::Errc::kLimitExceeded, fmt::format("there are {} tokens already", kApiTokensMax));
    }
    const ApiToken token{wanted.id, wanted.name, wanted.role, wanted.secret_hash, now, expires};
    Query(connection,
          "INSERT INTO api_token (name, id, role, secret_hash, created_ms, expires_ms) VALUES (?, ?, ?, ?, ?, ?)",
          token.name, token.id, token.role, token.secret_hash, token.created_ms, token.expires_ms)
        .run();
    changes.push_back({Change::Kind::kApiTokenCreated, {}, {}, {}, std::make_shared<const ApiToken>(token)});
    return token;
  });
}

base::Result<std::vector<ApiToken>> SqliteRegistry::list_api_tokens() {
  return read([&](SqliteConnection& connection) -> base::Result<std::vector<ApiToken>> {
    std::vector<ApiToken> tokens;
    Query query(connection, "SELECT id, name, role, secret_hash, created_ms, expires_ms FROM api_token ORDER BY name");
    while (query.step()) {
      tokens.push_back({query.text(0), query.text(1), static_cast<Role>(query.integer(2)), query.text(3),
                        query.integer(4), query.integer(5)});
    }
    return tokens;
  });
}

base::Result<> SqliteRegistry::delete_api_token(std::string_view name) {
  return change(true, [&](SqliteConnection& connection, Changes& changes) -> base::Result<> {
    auto token = std::make_shared<ApiToken>();
    {
      Query query(connection, "SELECT id FROM api_token WHERE name = ?", name);
      if (!query.step()) {
        return base::fail(base::Errc::kNotFound,
                          fmt::format("there is no token named '{}'", base::printable(name, 80)));
      }
      token->id = query.text(0);
      token->name = std::string(name);
    }
    Query(connection, "DELETE FROM api_token WHERE name = ?", name).run();
    changes.push_back({Change::Kind::kApiTokenDeleted, {}, {}, {}, std::move(token)});
    return {};
  });
}

}  // namespace mooring::registry
