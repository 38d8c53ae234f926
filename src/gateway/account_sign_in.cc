#include "gateway/account_sign_in.h"

#include <utility>

#include "base/log.h"
#include "registry/names.h"

namespace mooring::gateway {
namespace {

// A registry under steady change of its accounts must not make a sign-in go round for ever.
constexpr int kMaxLookups = 4;

}  // namespace

// A sign-in under way. Its password is overwritten when it ends.
struct AccountSignIn::Pending {
  ~Pending() { crypto::cleanse(password); }

  std::string name;
  std::string password;
  bool anonymous = false;
  std::string address;
  Done done;
  int lookups_left = kMaxLookups;
  std::uint64_t generation = 0;  // of the cache, when the password was given to the checker
  std::string proven_hash;       // the password fits this one
};

AccountSignIn::AccountSignIn(registry::RegistryService& registry, auth::ConnectLimiter& limiter,
                             auth::PasswordChecker& checker, base::Executor& executor, const base::Clock& clock)
    : registry_(registry),
      limiter_(limiter),
      checker_(checker),
      executor_(executor),
      clock_(clock),
      cache_(kMaxCachedAccounts) {}

bool AccountSignIn::is_for_account(const auth::ConnectAttempt& attempt) {
  // Of a device, which is decided before a name is looked at that is no account's anyway.
  if (!attempt.user_name || attempt.user_name->find('&') != std::string_view::npos) return false;
  // A token is a device's (auth/server_token.h); no account has a password of that shape.
  return attempt.password && registry::check_account_name(*attempt.user_name).has_value() &&
         !auth::looks_like_token(base::as_text(*attempt.password));
}

void AccountSignIn::authenticate(const auth::ConnectAttempt& attempt, Done done) {
  auto pending = std::make_unique<Pending>();
  pending->name = std::string(*attempt.user_name);
  pending->password = std::string(base::as_text(*attempt.password));
  pending->address = std::string(attempt.peer_address);
  pending->done = std::move(done);
  begin(std::move(pending), attempt.rate_limited);
}

void AccountSignIn::admit(const std::string& account, const auth::ConnectAttempt& attempt, Done done) {
  auto pending = std::make_unique<Pending>();
  pending->name = account;
  pending->anonymous = true;
  pending->address = std::string(attempt.peer_address);
  pending->done = std::move(done);
  begin(std::move(pending), attempt.rate_limited);
}

void AccountSignIn::begin(PendingRef pending, bool rate_limited) {
  if (rate_limited) {
    refuse(*pending, auth::RefusalReason::kRateLimited);
  } else if (CachedAccount* account = cache_.find(pending->name)) {
    decide(std::move(pending), *account);
  } else {
    ask_registry(std::move(pending));
  }
}

void AccountSignIn::ask_registry(PendingRef pending) {
  if (pending->lookups_left-- == 0) {
    refuse(*pending, auth::RefusalReason::kUnavailable);
    return;
  }
  std::string name = pending->name;
  registry_.find_account(std::move(name), executor_,
                         [this, generation = cache_.generation(),
                          pending = std::move(pending)](base::Result<std::optional<registry::Account>> found) mutable {
                           if (!found) {
                             base::log_error("gateway", "the registry did not answer a sign-in: {}",
                                             found.error().message);
                             refuse(*pending, auth::RefusalReason::kUnavailable);
                           } else if (generation != cache_.generation()) {
                             ask_registry(std::move(pending));
                           } else if (*found) {
                             decide(std::move(pending), cache_.put(**found));
                           } else if (pending->anonymous) {
                             refuse(*pending, auth::RefusalReason::kAnonymousAccountMissing);
                           } else {
                             verify(std::move(pending), {});
                           }
                         });
}

void AccountSignIn::decide(PendingRef pending, CachedAccount& account) {
  bool known = pending->anonymous || pending->proven_hash == account.password_hash;
  if (!known && account.known_password.size_bytes != 0) {
    const crypto::Mac mark = checker_.mark(account.password_hash, pending->password);
    known = crypto::constant_time_equal(mark.view(), account.known_password.view());
  }
  if (!known) {
    const std::string hash = account.password_hash;
    verify(std::move(pending), hash);
    return;
  }
  if (!pending->anonymous && account.known_password.size_bytes == 0) {
    account.known_password = checker_.mark(account.password_hash, pending->password);
  }
  // Copied first: `done` may ask the cache for something else.
  std::shared_ptr<const AccountRules> rules = account.rules;
  limiter_.remember_accepted(pending->address, pending->anonymous ? std::string_view() : pending->name,
                             clock_.mono_ms());
  pending->done(std::move(rules));
}

// An empty hash: there is no such account, which must not show in the time it takes.
void AccountSignIn::verify(PendingRef pending, const std::string& hash) {
  pending->generation = cache_.generation();
  Pending* const borrowed = pending.get();
  // The pending sign-in has to outlive a refused call, whose callback goes away with it.
  auto shared = std::make_shared<PendingRef>(std::move(pending));
  const bool taken = checker_.check(hash, borrowed->password, {borrowed->address, borrowed->name}, executor_,
                                    [this, hash, shared](auth::PasswordChecker::Answer answer) {
                                      on_verified(std::move(*shared), hash, std::move(answer));
                                    });
  if (!taken) refuse(*borrowed, auth::RefusalReason::kUnavailable);
}

void AccountSignIn::on_verified(PendingRef pending, const std::string& hash, auth::PasswordChecker::Answer answer) {
  const bool changed = pending->generation != cache_.generation();
  switch (answer.verdict) {
    case auth::PasswordChecker::Verdict::kRateLimited:
      refuse(*pending, auth::RefusalReason::kRateLimited);
      return;
    case auth::PasswordChecker::Verdict::kTooLate:
      refuse(*pending, auth::RefusalReason::kUnavailable);
      return;
    case auth::PasswordChecker::Verdict::kWrong:
      if (changed && pending->lookups_left > 0) {  // it may be the new password, or of a new account
        ask_registry(std::move(pending));
      } else {
        refuse_wrong(std::move(pending), hash.empty());
      }
      return;
    case auth::PasswordChecker::Verdict::kRight:
      break;
  }
  if (!answer.renewed_hash.empty()) renew_hash(pending->name, hash, std::move(answer.renewed_hash));
  pending->proven_hash = hash;
  CachedAccount* account = cache_.find(pending->name);
  if (account != nullptr && account->password_hash == hash) {
    decide(std::move(pending), *account);
  } else {
    ask_registry(std::move(pending));  // changed meanwhile, or crowded out of the cache
  }
}

// An iotId is answered as such, whatever came as its token (connection.md 4.5 row 10).
void AccountSignIn::refuse_wrong(PendingRef pending, bool unknown) {
  if (!unknown) {
    refuse(*pending, auth::RefusalReason::kWrongPassword);
    return;
  }
  std::string name = pending->name;
  registry_.run_read<base::DeviceKey>(
      [name = std::move(name)](registry::Registry& registry) { return registry.find_iot_id(name); }, executor_,
      [this, pending = std::move(pending)](base::Result<base::DeviceKey> found) {
        refuse(*pending, found ? auth::RefusalReason::kWrongIotToken : auth::RefusalReason::kUnknownUser);
      });
}

void AccountSignIn::renew_hash(const std::string& name, const std::string& hash, std::string renewed) {
  registry_.run<void>([name, hash, renewed = std::move(renewed)](
                          registry::Registry& registry) { return registry.renew_password_hash(name, hash, renewed); },
                      executor_,
                      [](base::Result<> done) {
                        if (!done)
                          base::log_warn("gateway", "a password's hash was not renewed: {}", done.error().message);
                      });
}

void AccountSignIn::refuse(Pending& pending, auth::RefusalReason reason) {
  const auth::Refusal refusal = auth::Refusal::of(reason);
  if (refusal.counts_against_address()) limiter_.count_refused(pending.address, pending.name, clock_.mono_ms());
  pending.done(tl::unexpected(refusal));
}

}  // namespace mooring::gateway
