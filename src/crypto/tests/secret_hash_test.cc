#include "crypto/secret_hash.h"

#include <gtest/gtest.h>

#include <string>

#include "crypto/random.h"

namespace mooring::crypto {
namespace {

TEST(SecretHash, KnowsItsSecretAgainAndNoOther) {
  const std::string hash = hash_secret("a secret of forty characters, more or less");
  EXPECT_EQ(hash.size(), kSecretHashBytes);
  EXPECT_EQ(hash.find("secret"), std::string::npos);
  EXPECT_TRUE(is_hash_of(hash, "a secret of forty characters, more or less"));
  EXPECT_FALSE(is_hash_of(hash, "a secret of forty characters, more or lesS"));
  EXPECT_FALSE(is_hash_of(hash, ""));
}

TEST(SecretHash, AnEmptyHashIsNobodys) {
  EXPECT_FALSE(is_hash_of("", ""));
  EXPECT_FALSE(is_hash_of("", "secret"));
  EXPECT_FALSE(is_hash_of(std::string(kSecretHashBytes, '-'), "secret"));
}

TEST(TokenHash, is_the_same_in_every_process) {
  EXPECT_EQ(token_hash("^1^1700000000000^0123456789abcde"),
            "1b764ab79e147f3e0de83f1b2723a31b1ccac097cf614baa815e64fd177a32de");
  EXPECT_NE(token_hash("a"), token_hash("b"));
  EXPECT_NE(token_hash("a"), hash_secret("a"));
}

TEST(TokenHash, tokens_have_the_platforms_shape_and_128_random_bits) {
  const std::string token = make_device_token(system_random(), 1'700'000'000'000);
  EXPECT_TRUE(token.starts_with("^1^1700000000000^")) << token;
  EXPECT_EQ(token.size(), 17U + 32U);
  EXPECT_NE(token, make_device_token(system_random(), 1'700'000'000'000));
}

}  // namespace
}  // namespace mooring::crypto
