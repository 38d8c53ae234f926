#include "crypto/password_hash.h"

#include <gtest/gtest.h>
#include <time.h>

namespace mooring::crypto {
namespace {

// Of this thread; the machine may be busy with something else.
double cpu_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

TEST(PasswordHash, the_password_fits_and_no_other_does) {
  const auto hash = hash_password("open sesame");
  ASSERT_TRUE(hash) << hash.error().message;
  EXPECT_TRUE(verify_password(*hash, "open sesame"));
  EXPECT_FALSE(verify_password(*hash, "open sesam"));
  EXPECT_FALSE(verify_password(*hash, "open sesame "));
  EXPECT_FALSE(verify_password(*hash, ""));
}

TEST(PasswordHash, every_byte_counts) {
  const std::string password("a\0b\xff", 4);
  const auto hash = hash_password(password);
  ASSERT_TRUE(hash);
  EXPECT_TRUE(verify_password(*hash, password));
  EXPECT_FALSE(verify_password(*hash, "a"));
}

TEST(PasswordHash, equal_passwords_have_different_hashes) {
  EXPECT_NE(*hash_password("twice"), *hash_password("twice"));
}

TEST(PasswordHash, names_its_kind_and_cost) {
  const auto hash = hash_password("cost");
  EXPECT_EQ(hash->find("$argon2id$v=19$m=32768,t=2,p=1$"), 0U) << *hash;
  EXPECT_FALSE(needs_rehash(*hash));
}

TEST(PasswordHash, a_hash_of_another_cost_is_valid_and_due_for_renewal) {
  // Of "correct horse", with 8 MiB and one pass.
  const std::string old =
      "$argon2id$v=19$m=8192,t=1,p=1$3HazLpr7LLAYdKWtl1j6jw$NKmS8SPNH+FF0gWXZNc7BvKUuKxJYBAbvTzQYPY7t4w";
  EXPECT_TRUE(verify_password(old, "correct horse"));
  EXPECT_FALSE(verify_password(old, "correct horsf"));
  EXPECT_TRUE(needs_rehash(old));
}

TEST(PasswordHash, a_text_that_is_no_hash_fits_nothing) {
  const auto hash = hash_password("cut");
  ASSERT_TRUE(hash);
  for (const std::string& text : {std::string(), std::string("plain"), std::string("$argon2id$"),
                                  hash->substr(0, hash->size() / 2), std::string(500, '$')}) {
    EXPECT_FALSE(verify_password(text, "cut")) << text;
    EXPECT_FALSE(verify_password(text, text)) << text;
  }
}

TEST(PasswordHash, nobody_costs_as_much_as_somebody) {
  const std::string somebody = *hash_password("somebody");
  EXPECT_FALSE(verify_password(nobodys_password_hash(), "somebody"));
  EXPECT_FALSE(needs_rehash(nobodys_password_hash()));
  const double begin = cpu_ms();
  verify_password(somebody, "guess");
  const double middle = cpu_ms();
  verify_password(nobodys_password_hash(), "guess");
  const double end = cpu_ms();
  EXPECT_LT(end - middle, 3 * (middle - begin));
  EXPECT_LT(middle - begin, 3 * (end - middle));
}

}  // namespace
}  // namespace mooring::crypto
