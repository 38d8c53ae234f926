#include "api/session_book.h"

#include <gtest/gtest.h>

namespace mooring::api {
namespace {

class SteppedClock final : public base::Clock {
 public:
  base::MonoMs mono_ms() const override { return now; }
  base::WallMs wall_ms() const override { return 1'000'000 + now; }
  base::MonoMs now = 1000;
};

class SessionBookTest : public testing::Test {
 protected:
  static registry::User user(std::string name) { return {std::move(name), registry::Role::kOperator, "$hash"}; }
  static registry::Change changed(std::string name) {
    return {registry::Change::Kind::kUserChanged, {}, std::move(name)};
  }
  SteppedClock clock;
  SessionBook book{clock};
};

TEST_F(SessionBookTest, a_session_is_found_by_its_secret_and_by_nothing_else) {
  const SessionBook::Opened opened = book.open(user("ada"));
  const auto view = book.find(opened.secret);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->user, "ada");
  EXPECT_EQ(view->role, registry::Role::kOperator);
  EXPECT_EQ(view->csrf_token, opened.view.csrf_token);
  EXPECT_NE(view->csrf_token, opened.secret);
  std::string other = opened.secret;
  other[0] = other[0] == 'a' ? 'b' : 'a';
  EXPECT_FALSE(book.find(other));
  EXPECT_FALSE(book.find(""));
  EXPECT_FALSE(book.find(view->csrf_token));
  book.close(opened.secret);
  EXPECT_FALSE(book.find(opened.secret));
}

TEST_F(SessionBookTest, it_ends_when_nobody_used_it_for_long_and_after_its_longest_time) {
  book.set_times({10, 25});
  const std::string idle = book.open(user("ada")).secret;
  const std::string used = book.open(user("ada")).secret;
  for (int i = 0; i < 2; ++i) {
    clock.now += 9'000;
    EXPECT_TRUE(book.find(used)) << i;
  }
  EXPECT_FALSE(book.find(idle));
  EXPECT_EQ(book.sessions_of("ada"), 1U);
  clock.now += 7'000;
  EXPECT_FALSE(book.find(used)) << "25 s after its beginning";
  EXPECT_EQ(book.sessions_of("ada"), 0U);
}

TEST_F(SessionBookTest, a_change_of_the_user_ends_all_of_theirs) {
  const std::string ada = book.open(user("ada")).secret, bob = book.open(user("bob")).secret;
  book.on_change(changed("ada"));
  EXPECT_FALSE(book.find(ada));
  EXPECT_TRUE(book.find(bob));
  registry::Change account{registry::Change::Kind::kAccountDeleted, {}, "bob"};
  book.on_change(account);
  EXPECT_TRUE(book.find(bob));
}

TEST_F(SessionBookTest, sessions_are_bounded_by_user_and_in_all) {
  const std::string first = book.open(user("ada")).secret;
  for (std::size_t i = 1; i < kSessionsPerUserMax; ++i) book.open(user("ada"));
  EXPECT_TRUE(book.find(first));
  book.open(user("ada"));
  EXPECT_FALSE(book.find(first)) << "the oldest gave way";
  EXPECT_EQ(book.sessions_of("ada"), kSessionsPerUserMax);
  const std::string kept = book.open(user("bob")).secret;
  for (std::size_t i = 0; i < kSessionsMax; ++i) book.open(user("u" + std::to_string(i)));
  EXPECT_FALSE(book.find(kept));
  EXPECT_EQ(book.sessions_of("ada"), 0U);
}

}  // namespace
}  // namespace mooring::api
