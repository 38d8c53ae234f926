#include "crypto/secret_hash.h"

#include <gtest/gtest.h>

#include <string>

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

}  // namespace
}  // namespace mooring::crypto
