#include "gateway/first_bytes.h"

#include <gtest/gtest.h>

#include <string>

namespace mooring::gateway {
namespace {

FirstBytes of(const std::string& text) {
  return classify_first_bytes(base::as_bytes(text));
}

TEST(FirstBytes, TellsTheProtocolsApart) {
  EXPECT_EQ(of(""), FirstBytes::kMore);
  EXPECT_EQ(of("\x16"), FirstBytes::kTls);
  EXPECT_EQ(of("\x10"), FirstBytes::kMqtt);
  EXPECT_EQ(of("G"), FirstBytes::kMore);
  EXPECT_EQ(of("GET"), FirstBytes::kMore);
  EXPECT_EQ(of("GET "), FirstBytes::kHttp);
  EXPECT_EQ(of("POST /"), FirstBytes::kHttp);
  EXPECT_EQ(of("OPTIONS "), FirstBytes::kHttp);
  EXPECT_EQ(of("DELETE "), FirstBytes::kHttp);
  EXPECT_EQ(of("GETX"), FirstBytes::kUnknown);
  EXPECT_EQ(of("get "), FirstBytes::kUnknown);
  EXPECT_EQ(of("\x30"), FirstBytes::kUnknown);
  EXPECT_EQ(of("SSH-2.0"), FirstBytes::kUnknown);
}

TEST(FirstBytes, DecidesWithinItsBound) {
  for (int first = 0; first < 256; ++first) {
    std::string input(1, static_cast<char>(first));
    input += "PTIONS xxx";
    EXPECT_NE(of(input.substr(0, kFirstBytesMax)), FirstBytes::kMore);
  }
}

}  // namespace
}  // namespace mooring::gateway
