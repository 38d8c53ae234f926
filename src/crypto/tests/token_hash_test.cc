#include "crypto/token_hash.h"

#include <gtest/gtest.h>

#include "crypto/random.h"

namespace mooring::crypto {
namespace {

TEST(TokenHash, is_the_same_in_every_process) {
  EXPECT_EQ(token_hash("^1^1700000000000^0123456789abcde"),
            "1b764ab79e147f3e0de83f1b2723a31b1ccac097cf614baa815e64fd177a32de");
  EXPECT_NE(token_hash("a"), token_hash("b"));
}

TEST(TokenHash, tokens_have_the_platforms_shape_and_128_random_bits) {
  const std::string token = make_device_token(system_random(), 1'700'000'000'000);
  EXPECT_TRUE(token.starts_with("^1^1700000000000^")) << token;
  EXPECT_EQ(token.size(), 17U + 32U);
  EXPECT_NE(token, make_device_token(system_random(), 1'700'000'000'000));
}

}  // namespace
}  // namespace mooring::crypto
