// AccountCache: the accounts that signed in on a loop lately, with what tells their right password again in
// microseconds, so that a back end that comes back costs neither a look-up nor a hash. One loop.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "auth/account_permissions.h"
#include "crypto/hmac.h"
#include "registry/model.h"

namespace mooring::gateway {

// An account as its connections on this loop see it. The permissions are replaced under them when they change.
struct AccountRules {
  std::string name;
  std::uint32_t life = 0;
  std::shared_ptr<const auth::AccountPermissions> permissions;
  std::uint64_t revision = 0;  // grows when they are replaced
};

struct CachedAccount {
  std::shared_ptr<AccountRules> rules;
  std::string password_hash;
  crypto::Mac known_password;  // PasswordChecker::mark of the password that was right; size 0: none was yet
};

class AccountCache {
 public:
  explicit AccountCache(std::size_t max_accounts) : max_accounts_(max_accounts) {}

  // Both are valid until the next call. Accounts that do not exist are not kept.
  CachedAccount* find(std::string_view name);
  CachedAccount& put(const registry::Account& account);
  // Grows with every change: an answer of the registry that was asked for under another one may be out of date.
  std::uint64_t generation() const { return generation_; }

  void forget(std::string_view name);
  // New permissions, also for the connections there are.
  void update(const registry::Account& account);
  std::size_t size() const { return entries_.size(); }

  static std::shared_ptr<const auth::AccountPermissions> compile(const registry::Account& account);

 private:
  const std::size_t max_accounts_;
  std::uint64_t generation_ = 0;
  boost::unordered_flat_map<std::string, CachedAccount> entries_;
};

}  // namespace mooring::gateway
