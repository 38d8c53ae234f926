#include "api/api_token_text.h"

#include <gtest/gtest.h>

#include "crypto/random.h"

namespace mooring::api {
namespace {

TEST(ApiTokenText, ComesBackAsItWas) {
  const TokenText token = make_token(crypto::system_random());
  const std::string text = to_text(token);
  const auto parts = parse_token(text);
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->id, token.id);
  EXPECT_EQ(parts->secret, token.secret);
}

TEST(ApiTokenText, OtherTextsAreNoTokens) {
  const std::string text = to_text(make_token(crypto::system_random()));
  EXPECT_FALSE(parse_token(""));
  EXPECT_FALSE(parse_token(text + "x"));
  EXPECT_FALSE(parse_token(text.substr(1)));
  std::string dashed = text;
  dashed[10] = '-';
  EXPECT_FALSE(parse_token(dashed));
  std::string no_middle = text;
  no_middle[8 + kTokenIdCharacters] = 'x';
  EXPECT_FALSE(parse_token(no_middle));
}

TEST(Authorization, BearerAndBasicInAnyCase) {
  EXPECT_EQ(parse_authorization("Bearer  abc ")->token, "abc");
  EXPECT_EQ(parse_authorization("bEARER abc")->token, "abc");
  const auto basic = parse_authorization("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");  // RFC 7617 section 2
  ASSERT_TRUE(basic);
  EXPECT_EQ(basic->scheme, Authorization::Scheme::kBasic);
  EXPECT_EQ(basic->name, "Aladdin");
  EXPECT_EQ(basic->password, "open sesame");
  EXPECT_EQ(parse_authorization("Basic dGVzdDoxMjPCow==")->password, "123\xC2\xA3");
  EXPECT_EQ(parse_authorization("Basic YTo6Yg==")->password, ":b") << "only the first colon divides";
}

TEST(Authorization, NothingElse) {
  for (const char* text : {"", "Bearer", "Digest abc", "Basic", "Basic QWxh!", "Basic QWxhZGRpbg==", "Basic A"}) {
    EXPECT_FALSE(parse_authorization(text)) << text;
  }
  EXPECT_FALSE(parse_authorization("Bearer " + std::string(5000, 'x')));
}

}  // namespace
}  // namespace mooring::api
