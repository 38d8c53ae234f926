#include "api/sign_in_guard.h"

#include <gtest/gtest.h>

namespace mooring::api {
namespace {

TEST(SignInGuard, wrong_passwords_make_wait_longer_and_longer) {
  SignInGuard guard;
  base::MonoMs now = 1'000'000;
  for (std::uint32_t i = 0; i < SignInGuard::kFreeOfPair; ++i)
    EXPECT_EQ(guard.begin({"ada", "192.0.2.1"}, now), 0) << i;
  for (const base::MonoMs wait : {1000, 2000, 4000, 8000}) {
    EXPECT_EQ(guard.begin({"ada", "192.0.2.1"}, now), wait);
    EXPECT_EQ(guard.begin({"ada", "192.0.2.1"}, now + wait - 1), 1) << "asking meanwhile changes nothing";
    now += wait;
    EXPECT_EQ(guard.begin({"ada", "192.0.2.1"}, now), 0);
  }
  for (int i = 0; i < 20; ++i) {
    now += BackOff::kLongestWaitMs;
    EXPECT_EQ(guard.begin({"ada", "192.0.2.1"}, now), 0) << "never longer than five minutes";
  }
  EXPECT_EQ(guard.begin({"bob", "192.0.2.1"}, now), 0) << "another name from there";
  EXPECT_EQ(guard.begin({"ada", "192.0.2.2"}, now), 0) << "the same name from elsewhere";
  guard.succeeded({"ada", "192.0.2.1"}, now);
  EXPECT_EQ(guard.begin({"ada", "192.0.2.1"}, now), 0);
}

TEST(SignInGuard, an_address_that_tries_many_names_waits_whatever_the_name) {
  SignInGuard guard;
  for (std::uint32_t i = 0; i < SignInGuard::kFreeOfAddress; ++i) {
    EXPECT_EQ(guard.begin({"user" + std::to_string(i), "192.0.2.1"}, 1000), 0);
  }
  EXPECT_GT(guard.begin({"fresh", "192.0.2.1"}, 1000), 0);
  EXPECT_EQ(guard.begin({"fresh", "192.0.2.2"}, 1000), 0);
}

TEST(SignInGuard, a_name_that_is_guessed_from_everywhere_is_still_open_to_whom_it_belongs) {
  SignInGuard guard;
  guard.begin({"ada", "198.51.100.7"}, 1000);
  guard.succeeded({"ada", "198.51.100.7"}, 1000);
  for (std::uint32_t i = 0; i < SignInGuard::kFreeOfUser; ++i) {
    EXPECT_EQ(guard.begin({"ada", "192.0.2." + std::to_string(i)}, 2000), 0);
  }
  EXPECT_GT(guard.begin({"ada", "203.0.113.1"}, 2000), 0);
  EXPECT_EQ(guard.begin({"ada", "198.51.100.7"}, 2000), 0);
}

TEST(SignInGuard, neighbours_at_the_same_address_do_not_keep_out_whom_it_knows) {
  SignInGuard guard;
  guard.succeeded({"ada", "192.0.2.1"}, 1000);
  for (std::uint32_t i = 0; i < SignInGuard::kFreeOfAddress; ++i) {
    guard.begin({"user" + std::to_string(i), "192.0.2.1"}, 2000);
  }
  EXPECT_GT(guard.begin({"bob", "192.0.2.1"}, 2000), 0);
  EXPECT_EQ(guard.begin({"ada", "192.0.2.1"}, 2000), 0);
}

TEST(SignInGuard, a_browser_that_is_known_has_a_count_of_its_own) {
  SignInGuard guard;
  for (std::uint32_t i = 0; i < SignInGuard::kFreeOfPair; ++i) guard.begin({"ada", "192.0.2.1"}, 1000);
  EXPECT_GT(guard.begin({"ada", "192.0.2.1"}, 1000), 0) << "somebody guesses from behind the same proxy";
  for (std::uint32_t i = 0; i < SignInGuard::kFreeOfPair; ++i) {
    EXPECT_EQ(guard.begin({"ada", "192.0.2.1", "browser"}, 1000), 0);
  }
  EXPECT_GT(guard.begin({"ada", "192.0.2.1", "browser"}, 1000), 0) << "whoever stole it does not guess for ever";
  EXPECT_GT(guard.begin({"ada", "198.51.100.1", "browser"}, 1000), 0) << "from wherever";
  EXPECT_EQ(guard.begin({"ada", "192.0.2.1", "another"}, 1000), 0);
}

TEST(SignInGuard, the_owner_at_a_new_address_gets_a_turn_among_those_who_guess) {
  SignInGuard guard;
  base::MonoMs now = 1'000'000;
  int guesses = 0, tries = 0;
  bool in = false;
  for (int i = 0; i < 18 * 600 && !in; ++i, now += 55 + i % 3) {  // 18 a second, each from elsewhere
    guesses += guard.begin({"ada", "192.0.2." + std::to_string(i)}, now) == 0 ? 1 : 0;
    if (i < 18 * 30 || i % 17 != 0) continue;  // about each second
    ++tries;
    in = guard.begin({"ada", "203.0.113.1"}, now + 30 + i % 25) == 0;
  }
  EXPECT_TRUE(in) << tries;
  EXPECT_LT(guesses, 50 + 10 + (now - 1'000'000) / 2000) << "guessing does not pay";
}

TEST(SignInGuard, invented_names_push_out_none_that_is_guessed) {
  SignInGuard guard;
  for (std::uint32_t i = 0; i < SignInGuard::kFreeOfUser; ++i) {
    guard.begin({"ada", "192.0.2." + std::to_string(i)}, 1000);
  }
  EXPECT_GT(guard.begin({"ada", "203.0.113.1"}, 1000), 0);
  for (std::size_t i = 0; i < 2 * BackOff::kKeysMax; ++i) {
    guard.begin({"user" + std::to_string(i), "198.51.100." + std::to_string(i)}, 1000);
  }
  EXPECT_GT(guard.begin({"ada", "203.0.113.1"}, 1000), 0);
}

TEST(SignInGuard, addresses_of_one_ipv6_network_are_one) {
  SignInGuard guard;
  for (std::uint32_t i = 0; i < SignInGuard::kFreeOfPair; ++i) {
    EXPECT_EQ(guard.begin({"ada", "2001:db8:0:1::" + std::to_string(i + 1)}, 1000), 0);
  }
  EXPECT_GT(guard.begin({"ada", "2001:db8:0:1:ffff::1"}, 1000), 0);
  EXPECT_EQ(guard.begin({"ada", "2001:db8:0:2::1"}, 1000), 0);
}

TEST(SignInGuard, tries_that_nobody_judged_do_not_count) {
  SignInGuard guard;
  const SignInGuard::Who ada{"ada", "192.0.2.1"};
  for (std::uint32_t i = 0; i < 2 * SignInGuard::kFreeOfUser; ++i) {
    ASSERT_EQ(guard.begin(ada, 1000), 0) << i;
    guard.not_judged(ada);
  }
  for (std::uint32_t i = 0; i < SignInGuard::kFreeOfPair; ++i) EXPECT_EQ(guard.begin(ada, 1000), 0);
  EXPECT_GT(guard.begin(ada, 1000), 0);
  EXPECT_FALSE(guard.is_known(ada, 1000));
  guard.succeeded(ada, 1000);
  EXPECT_TRUE(guard.is_known(ada, 1000));
}

TEST(SignInGuard, names_that_cannot_be_count_by_their_address_alone) {
  SignInGuard guard;
  for (std::uint32_t i = 0; i < SignInGuard::kFreeOfAddress; ++i) EXPECT_EQ(guard.begin({"", "192.0.2.1"}, 1000), 0);
  EXPECT_GT(guard.begin({"", "192.0.2.1"}, 1000), 0);
  EXPECT_EQ(guard.begin({"", "192.0.2.2"}, 1000), 0);
}

TEST(SignInGuard, what_is_long_ago_is_forgotten) {
  BackOff counts(1);
  counts.count("a", 1000);
  EXPECT_GT(counts.wait_ms("a", 1000), 0);
  EXPECT_EQ(counts.wait_ms("a", 1000 + BackOff::kForgottenAfterMs), 0);
  for (std::size_t i = 0; i < BackOff::kKeysMax; ++i) counts.count("k" + std::to_string(i), 1000);
  EXPECT_EQ(counts.wait_ms("a", 1000), 0) << "the one idle longest made room";
}

}  // namespace
}  // namespace mooring::api
