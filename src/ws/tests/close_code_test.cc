#include "ws/close_code.h"

#include <gtest/gtest.h>

namespace mooring::ws {
namespace {

TEST(CloseCode, SendableOnes) {
  for (std::uint32_t code = 0; code <= 0xFFFF; ++code) {
    const bool assigned = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
    const bool free_for_use = code >= 3000 && code <= 4999;
    EXPECT_EQ(is_sendable_close_code(static_cast<std::uint16_t>(code)), assigned || free_for_use) << code;
  }
}

TEST(CloseCode, Numbers) {
  EXPECT_EQ(to_number(CloseCode::kNormal), 1000);
  EXPECT_EQ(to_number(CloseCode::kUnsupportedData), 1003);
  EXPECT_EQ(to_number(CloseCode::kMessageTooBig), 1009);
  EXPECT_EQ(to_number(CloseCode::kBadGateway), 1014);
}

}  // namespace
}  // namespace mooring::ws
