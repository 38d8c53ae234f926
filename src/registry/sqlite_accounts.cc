// Accounts of the SQLite registry.
#include <fmt/format.h>

#include "base/text.h"
#include "registry/names.h"
#include "registry/sqlite_registry_impl.h"

namespace mooring::registry {
namespace {

constexpr std::string_view kSelectAccount =
    "SELECT name, password_hash, created_ms, life, version FROM account WHERE name = ?";
constexpr std::string_view kListAccounts =
    "SELECT name, password_hash, created_ms, life, version FROM account WHERE name > ? ORDER BY name LIMIT ?";
constexpr std::string_view kSelectPermissions =
    "SELECT rights, topic_filter FROM account_permission WHERE account = ? ORDER BY position";

base::Error no_such_account(std::string_view name) {
  return {base::Errc::kNotFound, fmt::format("there is no account '{}'", base::printable(name, 80))};
}

Account account_of(const Query& row) {
  Account account;
  account.name = row.text(0);
  account.password_hash = row.text(1);
  account.created_ms = row.integer(2);
  account.life = static_cast<std::uint32_t>(row.integer(3));
  account.version = static_cast<std::uint64_t>(row.integer(4));
  return account;
}

void load_permissions(SqliteConnection& connection, Account& account) {
  Query query(connection, kSelectPermissions, account.name);
  while (query.step()) {
    account.permissions.push_back({static_cast<AccountRight>(query.integer(0)), query.text(1)});
  }
}

void store_permissions(SqliteConnection& connection, const Account& account) {
  Query(connection, "DELETE FROM account_permission WHERE account = ?", account.name).run();
  std::int64_t position = 0;
  for (const AccountPermission& permission : account.permissions) {
    Query(connection, "INSERT INTO account_permission (account, position, rights, topic_filter) VALUES (?, ?, ?, ?)",
          account.name, position++, permission.right, permission.filter)
        .run();
  }
}

base::Result<> check_password_hash(std::string_view hash) {
  if (hash.starts_with('$') && hash.size() <= kPasswordHashBytesMax) return {};
  return base::fail(base::Errc::kInvalidArgument, "the account's password is not given as a hash");
}

}  // namespace

std::optional<Account> load_account(SqliteConnection& connection, std::string_view name) {
  Query query(connection, kSelectAccount, name);
  if (!query.step()) return std::nullopt;
  Account account = account_of(query);
  load_permissions(connection, account);
  return account;
}

base::Result<Account> SqliteRegistry::create_account(const NewAccount& wanted) {
  if (auto ok = check_account_name(wanted.name); !ok) return tl::unexpected(ok.error());
  if (auto ok = check_password_hash(wanted.password_hash); !ok) return tl::unexpected(ok.error());
  if (auto ok = check_account_permissions(wanted.permissions); !ok) return tl::unexpected(ok.error());
  return change(true, [&](SqliteConnection& connection, Changes& changes) -> base::Result<Account> {
    if (Query(connection, "SELECT 1 FROM account WHERE name = ?", wanted.name).step()) {
      return base::fail(base::Errc::kAlreadyExists, fmt::format("account '{}' exists already", wanted.name));
    }
    const Account account{wanted.name, wanted.password_hash, wanted.permissions, clock_.wall_ms(), new_life()};
    Query(connection, "INSERT INTO account (name, password_hash, created_ms, life) VALUES (?, ?, ?, ?)", account.name,
          account.password_hash, account.created_ms, account.life)
        .run();
    store_permissions(connection, account);
    changes.push_back({Change::Kind::kAccountCreated, {}, account.name});
    return account;
  });
}

base::Result<std::optional<Account>> SqliteRegistry::find_account(std::string_view name) {
  return read([&](SqliteConnection& connection) -> base::Result<std::optional<Account>> {
    return load_account(connection, name);
  });
}

base::Result<Page<Account>> SqliteRegistry::list_accounts(const PageRequest& request) {
  if (auto ok = check_page(request); !ok) return tl::unexpected(ok.error());
  return read([&](SqliteConnection& connection) -> base::Result<Page<Account>> {
    Page<Account> page;
    Query query(connection, kListAccounts, request.after, request.limit + 1);
    while (query.step()) {
      if (page.items.size() == request.limit) {
        page.next = page.items.back().name;
        break;
      }
      page.items.push_back(account_of(query));
      load_permissions(connection, page.items.back());
    }
    return page;
  });
}

base::Result<Account> SqliteRegistry::update_account(std::string_view name, const AccountChange& wanted) {
  if (wanted.password_hash) {
    if (auto ok = check_password_hash(*wanted.password_hash); !ok) return tl::unexpected(ok.error());
  }
  if (wanted.permissions) {
    if (auto ok = check_account_permissions(*wanted.permissions); !ok) return tl::unexpected(ok.error());
  }
  return change(true, [&](SqliteConnection& connection, Changes& changes) -> base::Result<Account> {
    auto account = load_account(connection, name);
    if (!account) return tl::unexpected(no_such_account(name));
    if (auto ok = check_version(wanted.seen_version, account->version); !ok) return tl::unexpected(ok.error());
    const std::size_t changes_before = changes.size();
    if (wanted.password_hash && *wanted.password_hash != account->password_hash) {
      account->password_hash = *wanted.password_hash;
      Query(connection, "UPDATE account SET password_hash = ? WHERE name = ?", account->password_hash, name).run();
      changes.push_back({Change::Kind::kAccountPasswordChanged, {}, account->name});
      // Whoever knew the old password may have minted them.
      revoke_account_tickets(connection, name, clock_.wall_ms(), changes);
    }
    if (wanted.permissions && *wanted.permissions != account->permissions) {
      account->permissions = *wanted.permissions;
      store_permissions(connection, *account);
      changes.push_back({Change::Kind::kAccountPermissionsChanged, {}, account->name});
    }
    if (changes.size() != changes_before) {
      Query(connection, "UPDATE account SET version = ? WHERE name = ?", ++account->version, name).run();
    }
    return std::move(*account);
  });
}

base::Result<> SqliteRegistry::delete_account(std::string_view name) {
  return change(true, [&](SqliteConnection& connection, Changes& changes) -> base::Result<> {
    revoke_account_tickets(connection, name, clock_.wall_ms(), changes);  // they go with it, and are told of
    if (Query(connection, "DELETE FROM account WHERE name = ?", name).run() == 0) {
      return tl::unexpected(no_such_account(name));
    }
    changes.push_back({Change::Kind::kAccountDeleted, {}, std::string(name)});
    return {};
  });
}

base::Result<> SqliteRegistry::renew_password_hash(std::string_view name, std::string_view old_hash,
                                                   std::string_view new_hash) {
  if (auto ok = check_password_hash(new_hash); !ok) return ok;
  return change(true, [&](SqliteConnection& connection, Changes&) -> base::Result<> {
    Query(connection, "UPDATE account SET password_hash = ? WHERE name = ? AND password_hash = ?", new_hash, name,
          old_hash)
        .run();
    return {};
  });
}

}  // namespace mooring::registry
