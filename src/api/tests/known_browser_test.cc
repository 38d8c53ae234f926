#include "api/known_browser.h"

#include <gtest/gtest.h>

#include "crypto/random.h"

namespace mooring::api {
namespace {

constexpr base::WallMs kNow = 1'800'000'000'000;

class KnownBrowserTest : public testing::Test {
 protected:
  std::string text_ = make_known_browser("key", "ada", kNow, crypto::system_random());
};

TEST_F(KnownBrowserTest, is_known_until_its_end) {
  const std::string number = known_browser("key", "ada", text_, kNow);
  EXPECT_FALSE(number.empty());
  EXPECT_EQ(known_browser("key", "ada", text_, kNow + (kKnownBrowserForS - 1) * 1000LL), number);
  EXPECT_EQ(known_browser("key", "ada", text_, kNow + kKnownBrowserForS * 1000LL), "");
  EXPECT_NE(known_browser("key", "ada", make_known_browser("key", "ada", kNow, crypto::system_random()), kNow), number);
}

TEST_F(KnownBrowserTest, is_of_one_user_and_one_installation) {
  EXPECT_EQ(known_browser("key", "bob", text_, kNow), "");
  EXPECT_EQ(known_browser("other", "ada", text_, kNow), "");
  EXPECT_EQ(known_browser("", "ada", make_known_browser("", "ada", kNow, crypto::system_random()), kNow), "");
}

TEST_F(KnownBrowserTest, nobody_can_make_one_or_change_its_end) {
  std::string later = text_;
  ++later[later.find('.') + 1];
  for (const std::string& forged :
       {later, text_.substr(0, text_.size() - 1), text_ + "0", std::string(), std::string("."), std::string(".."),
        std::string(5000, 'a'), std::string(20, 'a') + "." + text_}) {
    EXPECT_EQ(known_browser("key", "ada", forged, kNow), "") << forged;
  }
}

}  // namespace
}  // namespace mooring::api
