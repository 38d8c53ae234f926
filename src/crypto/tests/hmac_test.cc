#include "crypto/hmac.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "base/text.h"

namespace mooring::crypto {
namespace {

std::string hex(HmacMethod method, std::string_view key, std::string_view text) {
  return base::to_hex(hmac(method, key, {text}).view());
}

// RFC 2202 and RFC 4231.
TEST(Hmac, PublishedVectors) {
  EXPECT_EQ(hex(HmacMethod::kMd5, "Jefe", "what do ya want for nothing?"), "750c783e6ab0b503eaa86e310a5db738");
  EXPECT_EQ(hex(HmacMethod::kSha1, "Jefe", "what do ya want for nothing?"), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
  EXPECT_EQ(hex(HmacMethod::kSha256, "Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Hmac, KeyLongerThanABlockIsHashedFirst) {
  const std::string text = "Test Using Larger Than Block-Size Key - Hash Key First";
  EXPECT_EQ(hex(HmacMethod::kMd5, std::string(80, '\xaa'), text), "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd");
  EXPECT_EQ(hex(HmacMethod::kSha1, std::string(80, '\xaa'), text), "aa4ae5e15272d00e95705637ce8a3b55ed402112");
  EXPECT_EQ(hex(HmacMethod::kSha256, std::string(131, '\xaa'), text),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Hmac, PartsAreOneText) {
  const Mac whole = hmac(HmacMethod::kSha1, "k", {"abcdef"});
  EXPECT_TRUE(constant_time_equal(whole.view(), hmac(HmacMethod::kSha1, "k", {"", "abc", "", "def"}).view()));
  EXPECT_FALSE(constant_time_equal(whole.view(), hmac(HmacMethod::kSha1, "k", {"abcde"}).view()));
}

TEST(Hmac, EmptyKeyAndText) {
  EXPECT_EQ(hex(HmacMethod::kMd5, "", ""), "74e6f7298a9c2d168935f58c001bad88");
}

TEST(Hmac, SizesFitTheMethod) {
  for (const auto method : {HmacMethod::kMd5, HmacMethod::kSha1, HmacMethod::kSha256}) {
    EXPECT_EQ(hmac(method, "k", {"t"}).view().size(), size_bytes(method));
  }
}

TEST(Hmac, ThreadsDoNotDisturbEachOther) {
  const std::string expected = hex(HmacMethod::kSha256, "key", "text");
  std::vector<std::thread> threads;
  std::vector<int> wrong(4);
  for (int& count : wrong) {
    threads.emplace_back([&count, &expected] {
      for (int i = 0; i < 500; ++i) count += hex(HmacMethod::kSha256, "key", "text") == expected ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4));
}

TEST(Hmac, MethodNames) {
  EXPECT_EQ(parse_hmac_method("hmacmd5"), HmacMethod::kMd5);
  EXPECT_EQ(parse_hmac_method("hmacSha1"), HmacMethod::kSha1);
  EXPECT_EQ(parse_hmac_method("HMACSHA256"), HmacMethod::kSha256);
  EXPECT_EQ(parse_hmac_method("sha256"), HmacMethod::kSha256);
  for (const char* word : {"", "sha1", "md5", "hmacsha512", "hmacsha1 "}) {
    EXPECT_EQ(parse_hmac_method(word), std::nullopt) << word;
  }
  EXPECT_EQ(name(HmacMethod::kSha1), "hmacsha1");
}

TEST(ConstantTimeEqual, Compares) {
  EXPECT_TRUE(constant_time_equal({}, {}));
  EXPECT_TRUE(constant_time_equal(base::as_bytes("abc"), base::as_bytes("abc")));
  EXPECT_FALSE(constant_time_equal(base::as_bytes("abc"), base::as_bytes("abd")));
  EXPECT_FALSE(constant_time_equal(base::as_bytes("abc"), base::as_bytes("ab")));
}

TEST(Cleanse, Overwrites) {
  base::Bytes bytes{1, 2, 3};
  cleanse(bytes);
  EXPECT_EQ(bytes, (base::Bytes{0, 0, 0}));
  std::string text = "abc";
  cleanse(text);
  EXPECT_EQ(text, std::string(3, '\0'));
}

}  // namespace
}  // namespace mooring::crypto
