#include "api/origin.h"

#include <gtest/gtest.h>

namespace mooring::api {
namespace {

TEST(Origin, IsWrittenAsBrowsersDo) {
  EXPECT_EQ(normalized_origin("https://App.Example.com"), "https://app.example.com");
  EXPECT_EQ(normalized_origin("https://app.example.com/"), "https://app.example.com");
  EXPECT_EQ(normalized_origin("https://app.example.com:443"), "https://app.example.com");
  EXPECT_EQ(normalized_origin("https://app.example.com:80"), "https://app.example.com:80");
  EXPECT_EQ(normalized_origin("http://localhost:8080"), "http://localhost:8080");
  EXPECT_EQ(normalized_origin("http://[::1]:3000"), "http://[::1]:3000");
  EXPECT_EQ(normalized_origin("http://[::1]"), "http://[::1]");
  EXPECT_EQ(normalized_origin("capacitor://localhost"), "capacitor://localhost");
}

TEST(Origin, IsNothingElse) {
  for (const char* text : {"", "null", "*", "app.example.com", "https://", "https://a/b", "https://a b", "https://a:0",
                           "https://a:70000", "https://a:", "https://*.example.com", "https://a?b", "https://u@a",
                           "://a", "https://a,https://b", "1http://a"}) {
    EXPECT_FALSE(normalized_origin(text)) << text;
  }
}

}  // namespace
}  // namespace mooring::api
