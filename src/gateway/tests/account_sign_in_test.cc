#include "gateway/account_sign_in.h"

#include <gtest/gtest.h>

#include "crypto/password_hash.h"
#include "gateway/authorizers.h"
#include "registry/tests/inbox.h"
#include "registry/tests/registry_fixture.h"

namespace mooring::gateway {
namespace {

using auth::RefusalReason;
using Result = tl::expected<std::shared_ptr<const AccountRules>, auth::Refusal>;

// The loop's thread is the test's; the registry and the checker have theirs.

using registry::Inbox;

class AccountSignInTest : public testing::Test {
 protected:
  void SetUp() override {
    auto registry = fixture_.open();
    ASSERT_NE(registry, nullptr);
    ASSERT_TRUE(registry->create_account(
        {"one", *crypto::hash_password("open sesame"), {{registry::AccountRight::kAll, "a/#"}}}));
    registry_ = registry.get();
    service_ = std::make_unique<registry::RegistryService>(std::move(registry));
    limiter_ = std::make_unique<auth::ConnectLimiter>(auth::ConnectLimiter::Limits{0, refusals_, 0}, fixture_.random);
    checker_ = std::make_unique<auth::PasswordChecker>(*limiter_, fixture_.clock);
    sign_in_ = std::make_unique<AccountSignIn>(*service_, *limiter_, *checker_, inbox_, fixture_.clock);
    service_->start();
  }
  void TearDown() override {
    checker_->stop();
    service_->stop();
  }

  static auth::ConnectAttempt attempt(std::string_view name, std::string_view password) {
    auth::ConnectAttempt made;
    made.user_name = name;
    made.password = base::as_bytes(password);
    made.peer_address = "192.0.2.1";
    return made;
  }
  AccountSignIn::Done take() {
    return [this](Result result) { results_.push_back(std::move(result)); };
  }
  Result wait() {
    const std::size_t wanted = results_.size() + 1;
    EXPECT_TRUE(inbox_.run_until([&] { return results_.size() >= wanted; })) << "nothing came";
    return results_.back();
  }
  Result sign_in(std::string_view name, std::string_view password) {
    const std::size_t before = results_.size();
    sign_in_->authenticate(attempt(name, password), take());
    return results_.size() > before ? results_.back() : wait();
  }
  RefusalReason reason(std::string_view name, std::string_view password) {
    const Result result = sign_in(name, password);
    return result ? RefusalReason::kUnavailable : result.error().reason;
  }
  // On the registry's own thread, as the server does it.
  void change(base::UniqueFunction<base::Result<registry::Account>(registry::Registry&)> operation) {
    bool done = false;
    service_->run<registry::Account>(std::move(operation), inbox_, [&](base::Result<registry::Account> result) {
      EXPECT_TRUE(result) << result.error().message;
      changed_ = *result;
      done = true;
    });
    EXPECT_TRUE(inbox_.run_until([&] { return done; })) << "nothing came";
  }
  // At once; whatever is under way is concluded later, when the inbox is looked into.
  void set_password(const std::string& password) {
    ASSERT_TRUE(registry_->update_account("one", {*crypto::hash_password(password), {}}));
    sign_in_->cache().forget("one");
  }

  std::uint32_t refusals_ = 0;
  registry::SqliteFixture fixture_;
  Inbox inbox_;
  registry::Registry* registry_ = nullptr;
  std::unique_ptr<registry::RegistryService> service_;
  std::unique_ptr<auth::ConnectLimiter> limiter_;
  std::unique_ptr<auth::PasswordChecker> checker_;
  std::unique_ptr<AccountSignIn> sign_in_;
  std::vector<Result> results_;
  registry::Account changed_;
};

TEST_F(AccountSignInTest, only_a_name_without_ampersand_and_a_password_are_an_accounts) {
  EXPECT_TRUE(AccountSignIn::is_for_account(attempt("one", "p")));
  EXPECT_TRUE(AccountSignIn::is_for_account(attempt("one", "")));
  for (const char* name : {"", "dn&pk", "&", "a|b", "a\nb"}) {
    EXPECT_FALSE(AccountSignIn::is_for_account(attempt(name, "p"))) << name;
  }
  auth::ConnectAttempt without = attempt("one", "p");
  without.password.reset();
  EXPECT_FALSE(AccountSignIn::is_for_account(without));
  without.user_name.reset();
  EXPECT_FALSE(AccountSignIn::is_for_account(without));
}

TEST_F(AccountSignInTest, the_right_password_is_known_again_at_once) {
  const Result first = sign_in("one", "open sesame");
  ASSERT_TRUE(first);
  EXPECT_EQ((*first)->name, "one");
  EXPECT_NE((*first)->life, 0U);
  EXPECT_TRUE((*first)->permissions->may_publish("a/b"));
  const std::size_t before = results_.size();
  sign_in_->authenticate(attempt("one", "open sesame"), take());
  ASSERT_EQ(results_.size(), before + 1) << "it was verified again";
  EXPECT_EQ(*results_.back(), *first);
}

TEST_F(AccountSignInTest, refusals_have_their_code) {
  EXPECT_EQ(reason("one", "open sesam"), RefusalReason::kWrongPassword);
  EXPECT_EQ(reason("one", ""), RefusalReason::kWrongPassword);
  EXPECT_EQ(reason("two", "open sesame"), RefusalReason::kUnknownUser);
  ASSERT_TRUE(sign_in("one", "open sesame"));
  EXPECT_EQ(reason("one", "open sesam"), RefusalReason::kWrongPassword);
  for (const RefusalReason wrong : {RefusalReason::kWrongPassword, RefusalReason::kUnknownUser}) {
    EXPECT_EQ(auth::Refusal::of(wrong).connack_v3, 4);
  }
  auth::ConnectAttempt limited = attempt("one", "open sesame");
  limited.rate_limited = true;
  sign_in_->authenticate(limited, take());
  EXPECT_EQ(results_.back().error().reason, RefusalReason::kRateLimited);
}

TEST_F(AccountSignInTest, a_changed_password_counts_from_the_change_on) {
  ASSERT_TRUE(sign_in("one", "open sesame"));
  set_password("other");
  EXPECT_EQ(reason("one", "open sesame"), RefusalReason::kWrongPassword);
  EXPECT_TRUE(sign_in("one", "other"));
}

TEST_F(AccountSignInTest, a_change_while_the_password_is_verified_is_noticed) {
  ASSERT_TRUE(sign_in("one", "open sesame"));
  // The new password meets the hash of the old one.
  sign_in_->authenticate(attempt("one", "other"), take());
  set_password("other");
  EXPECT_TRUE(wait());

  // The old password meets its own hash, which is not the account's any more when the verdict comes. The account is in
  // the cache, its password is not known there.
  sign_in_->cache().forget("one");
  sign_in_->admit("one", attempt("", ""), take());
  ASSERT_TRUE(wait());
  sign_in_->authenticate(attempt("one", "other"), take());
  set_password("third");
  const Result old = wait();
  ASSERT_FALSE(old);
  EXPECT_EQ(old.error().reason, RefusalReason::kWrongPassword);
}

TEST_F(AccountSignInTest, new_permissions_reach_those_who_are_connected) {
  const Result result = sign_in("one", "open sesame");
  ASSERT_TRUE(result);
  const AccountAuthorizer authorizer(*result);
  using Verdict = broker::Authorizer::Verdict;
  EXPECT_EQ(authorizer.may_publish("a/b"), Verdict::kAllowed);
  EXPECT_EQ(authorizer.may_subscribe("b/#"), Verdict::kNotPermitted);
  change([](registry::Registry& registry) {
    return registry.update_account("one", {{}, {{{registry::AccountRight::kSubscribe, "b/#"}}}});
  });
  sign_in_->cache().update(changed_);
  EXPECT_EQ(authorizer.may_publish("a/b"), Verdict::kNotPermitted);
  EXPECT_EQ(authorizer.may_subscribe("b/#"), Verdict::kAllowed);
}

TEST_F(AccountSignInTest, without_a_name_the_listeners_account_is_taken) {
  sign_in_->admit("one", attempt("", ""), take());
  const Result admitted = wait();
  ASSERT_TRUE(admitted);
  EXPECT_EQ((*admitted)->name, "one");
  EXPECT_EQ(reason("one", "guess"), RefusalReason::kWrongPassword) << "admission proves no password";
  sign_in_->admit("two", attempt("", ""), take());
  const Result missing = wait();
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().reason, RefusalReason::kAnonymousAccountMissing);
  EXPECT_EQ(missing.error().connack_v3, 5);
  EXPECT_FALSE(missing.error().counts_against_address());
}

TEST_F(AccountSignInTest, a_hash_of_another_cost_is_renewed) {
  // Of "correct horse", with 8 MiB and one pass.
  const std::string cheap =
      "$argon2id$v=19$m=8192,t=1,p=1$3HazLpr7LLAYdKWtl1j6jw$NKmS8SPNH+FF0gWXZNc7BvKUuKxJYBAbvTzQYPY7t4w";
  change([&](registry::Registry& registry) { return registry.update_account("one", {cheap, {}}); });
  ASSERT_TRUE(sign_in("one", "correct horse"));
  change([](registry::Registry& registry) { return registry.update_account("one", {}); });
  EXPECT_NE(changed_.password_hash, cheap);
  EXPECT_FALSE(crypto::needs_rehash(changed_.password_hash));
  EXPECT_TRUE(crypto::verify_password(changed_.password_hash, "correct horse"));
  EXPECT_TRUE(sign_in("one", "correct horse"));
}

TEST_F(AccountSignInTest, more_than_the_bound_is_answered_with_unavailable) {
  constexpr std::size_t kAttempts = auth::PasswordChecker::kMaxWaiting + 20;
  ASSERT_TRUE(sign_in("one", "open sesame"));
  results_.clear();
  for (std::size_t i = 0; i < kAttempts; ++i) sign_in_->authenticate(attempt("one", "guess"), take());
  const std::size_t at_once = results_.size();
  EXPECT_GT(at_once, 0U);
  for (const Result& result : results_) EXPECT_EQ(result.error().reason, RefusalReason::kUnavailable);
  // A client that was here before is not held up.
  EXPECT_TRUE(sign_in("one", "open sesame"));
  EXPECT_EQ(results_.size(), at_once + 1);
  checker_->stop();  // what waits is dropped, not verified
}

TEST_F(AccountSignInTest, what_waited_too_long_is_not_verified_any_more) {
  for (int i = 0; i < 3; ++i) sign_in_->authenticate(attempt("one", "guess"), take());
  EXPECT_TRUE(inbox_.run_until([&] { return !results_.empty(); })) << "nothing came";
  // One of them may be under way; the last one is not.
  for (int i = 0; i < 20; ++i) sign_in_->authenticate(attempt("one", "guess"), take());
  fixture_.clock.now_ms += auth::PasswordChecker::kMaxWaitingMs + 1;
  EXPECT_TRUE(inbox_.run_until([&] { return results_.size() == 23; })) << "nothing came";
  EXPECT_EQ(results_.back().error().reason, RefusalReason::kUnavailable);
}

class LimitedAccountSignInTest : public AccountSignInTest {
 protected:
  LimitedAccountSignInTest() { refusals_ = 5; }
};

TEST_F(LimitedAccountSignInTest, an_address_that_guesses_is_not_verified_any_further) {
  constexpr std::size_t kAttempts = 40;
  for (std::size_t i = 0; i < kAttempts; ++i) sign_in_->authenticate(attempt("one", "guess"), take());
  EXPECT_TRUE(inbox_.run_until([&] { return results_.size() == kAttempts; })) << "nothing came";
  std::size_t limited = 0;
  for (const Result& result : results_) limited += result.error().reason == RefusalReason::kRateLimited ? 1 : 0;
  EXPECT_GE(limited, kAttempts / 2);
  auth::ConnectAttempt elsewhere = attempt("one", "open sesame");
  elsewhere.peer_address = "198.51.100.1";
  sign_in_->authenticate(elsewhere, take());
  EXPECT_TRUE(wait());
}

}  // namespace
}  // namespace mooring::gateway
