// People who sign in to the console, in the SQLite registry.
#include <fmt/format.h>

#include "base/text.h"
#include "registry/names.h"
#include "registry/sqlite_registry_impl.h"

namespace mooring::registry {
namespace {

constexpr std::string_view kSelectUser =
    "SELECT name, role, password_hash, must_change_password, created_ms, last_sign_in_ms, version FROM console_user "
    "WHERE name = ?";
constexpr std::string_view kListUsers =
    "SELECT name, role, password_hash, must_change_password, created_ms, last_sign_in_ms, version FROM console_user "
    "ORDER BY name";

User user_of(const Query& row) {
  return {row.text(0),    static_cast<Role>(row.integer(1)),         row.text(2), row.integer(3) != 0, row.integer(4),
          row.integer(5), static_cast<std::uint64_t>(row.integer(6))};
}

base::Error no_such_user(std::string_view name) {
  return {base::Errc::kNotFound, fmt::format("there is no user '{}'", base::printable(name, 80))};
}

std::optional<User> load_user(SqliteConnection& connection, std::string_view name) {
  Query query(connection, kSelectUser, name);
  if (!query.step()) return std::nullopt;
  return user_of(query);
}

base::Result<> check_hash(std::string_view hash) {
  if (hash.starts_with('$') && hash.size() <= kPasswordHashBytesMax) return {};
  return base::fail(base::Errc::kInvalidArgument, "the user's password is not given as a hash");
}

// An installation without an administrator could be helped on its own machine only.
base::Result<> check_not_last(SqliteConnection& connection, const User& user) {
  if (user.role != Role::kAdmin) return {};
  Query others(connection, "SELECT 1 FROM console_user WHERE role = ? AND name <> ?", Role::kAdmin, user.name);
  if (others.step()) return {};
  return base::fail(base::Errc::kInvalidArgument,
                    fmt::format("'{}' is the only administrator; make another one first", user.name));
}

}  // namespace

base::Result<User> SqliteRegistry::create_user(const NewUser& wanted) {
  if (auto ok = check_account_name(wanted.name); !ok) return tl::unexpected(ok.error());
  if (auto ok = check_hash(wanted.password_hash); !ok) return tl::unexpected(ok.error());
  return change(true, [&](SqliteConnection& connection, Changes&) -> base::Result<User> {
    if (load_user(connection, wanted.name)) {
      return base::fail(base::Errc::kAlreadyExists, fmt::format("user '{}' exists already", wanted.name));
    }
    Query count(connection, "SELECT count(*) FROM console_user");
    count.step();
    if (std::cmp_greater_equal(count.integer(0), kUsersMax)) {
      return base::fail(base::Errc::kLimitExceeded, fmt::format("there are {} users already", kUsersMax));
    }
    const User user{wanted.name, wanted.role, wanted.password_hash, wanted.must_change_password, clock_.wall_ms()};
    Query(connection,
          "INSERT INTO console_user (name, role, password_hash, must_change_password, created_ms) "
          "VALUES (?, ?, ?, ?, ?)",
          user.name, user.role, user.password_hash, user.must_change_password, user.created_ms)
        .run();
    return user;
  });
}

base::Result<std::optional<User>> SqliteRegistry::find_user(std::string_view name) {
  return read(
      [&](SqliteConnection& connection) -> base::Result<std::optional<User>> { return load_user(connection, name); });
}

base::Result<std::vector<User>> SqliteRegistry::list_users() {
  return read([&](SqliteConnection& connection) -> base::Result<std::vector<User>> {
    std::vector<User> users;
    Query query(connection, kListUsers);
    while (query.step()) users.push_back(user_of(query));
    return users;
  });
}

base::Result<User> SqliteRegistry::update_user(std::string_view name, const UserChange& wanted) {
  if (wanted.password_hash) {
    if (auto ok = check_hash(*wanted.password_hash); !ok) return tl::unexpected(ok.error());
  }
  return change(true, [&](SqliteConnection& connection, Changes& changes) -> base::Result<User> {
    auto user = load_user(connection, name);
    if (!user) return tl::unexpected(no_such_user(name));
    if (auto ok = check_version(wanted.seen_version, user->version); !ok) return tl::unexpected(ok.error());
    if (wanted.role && *wanted.role != Role::kAdmin) {
      if (auto ok = check_not_last(connection, *user); !ok) return tl::unexpected(ok.error());
    }
    const User before = *user;
    if (wanted.role) user->role = *wanted.role;
    if (wanted.password_hash) user->password_hash = *wanted.password_hash;
    if (wanted.must_change_password) user->must_change_password = *wanted.must_change_password;
    if (*user == before) return std::move(*user);
    Query(connection,
          "UPDATE console_user SET role = ?, password_hash = ?, must_change_password = ?, version = ? WHERE name = ?",
          user->role, user->password_hash, user->must_change_password, ++user->version, name)
        .run();
    changes.push_back({Change::Kind::kUserChanged, {}, user->name});
    return std::move(*user);
  });
}

base::Result<> SqliteRegistry::delete_user(std::string_view name) {
  return change(true, [&](SqliteConnection& connection, Changes& changes) -> base::Result<> {
    const auto user = load_user(connection, name);
    if (!user) return tl::unexpected(no_such_user(name));
    if (auto ok = check_not_last(connection, *user); !ok) return ok;
    Query(connection, "DELETE FROM console_user WHERE name = ?", name).run();
    changes.push_back({Change::Kind::kUserDeleted, {}, user->name});
    return {};
  });
}

base::Result<> SqliteRegistry::note_sign_in(std::string_view name, base::WallMs at_ms) {
  return change(false, [&](SqliteConnection& connection, Changes&) -> base::Result<> {
    Query(connection, "UPDATE console_user SET last_sign_in_ms = ? WHERE name = ?", at_ms, name).run();
    return {};
  });
}

}  // namespace mooring::registry
