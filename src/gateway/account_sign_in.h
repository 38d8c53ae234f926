// AccountSignIn: a CONNECT as an account, by name and password or as the account a listener gives to those without a
// name. One per loop.
//
// The steps: the loop's cache, or the registry by message; the password that was right before is known again at once,
// any other goes to the PasswordChecker. Whether the account exists does not show in the time of a refusal.
#pragma once

#include <memory>
#include <string>

#include "auth/connect_limiter.h"
#include "auth/password_checker.h"
#include "auth/sign_in.h"
#include "base/clock.h"
#include "base/executor.h"
#include "gateway/account_cache.h"
#include "registry/registry_service.h"

namespace mooring::gateway {

class AccountSignIn {
 public:
  static constexpr std::size_t kMaxCachedAccounts = 10'000;

  // `limiter` and `checker` are shared by all loops.
  AccountSignIn(registry::RegistryService& registry, auth::ConnectLimiter& limiter, auth::PasswordChecker& checker,
                base::Executor& executor, const base::Clock& clock);

  // Whether the attempt names somebody who can only be an account: a user name that is no device's, and a password.
  static bool is_for_account(const auth::ConnectAttempt& attempt);

  // `done` is called before the call returns when the cache knows the answer, else later on this loop. The attempt is
  // not borrowed beyond the call. Refusals are counted here.
  using Done = base::UniqueFunction<void(tl::expected<std::shared_ptr<const AccountRules>, auth::Refusal>)>;
  void authenticate(const auth::ConnectAttempt& attempt, Done done);
  // Without a name: as `account`, whatever it is that the client may prove.
  void admit(const std::string& account, const auth::ConnectAttempt& attempt, Done done);

  AccountCache& cache() { return cache_; }

 private:
  struct Pending;
  using PendingRef = std::unique_ptr<Pending>;

  void begin(PendingRef pending, bool rate_limited);
  void ask_registry(PendingRef pending);
  void decide(PendingRef pending, CachedAccount& account);
  void verify(PendingRef pending, const std::string& hash);
  void on_verified(PendingRef pending, const std::string& hash, auth::PasswordChecker::Answer answer);
  void refuse(Pending& pending, auth::RefusalReason reason);
  void refuse_wrong(PendingRef pending, bool unknown);
  void renew_hash(const std::string& name, const std::string& hash, std::string renewed);

  registry::RegistryService& registry_;
  auth::ConnectLimiter& limiter_;
  auth::PasswordChecker& checker_;
  base::Executor& executor_;
  const base::Clock& clock_;
  AccountCache cache_;
};

}  // namespace mooring::gateway
