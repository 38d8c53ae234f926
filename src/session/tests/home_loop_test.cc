#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "session/ports.h"

namespace mooring::session {
namespace {

std::string name(int number) {
  return "dev" + std::to_string(number);
}

TEST(HomeLoop, OneLoopIsHomeToAll) {
  for (int i = 0; i < 100; ++i) EXPECT_EQ(home_loop(name(i), 1), 0);
}

// Other loops compute it too, and one day other builds beside this one: the values are part of the design.
TEST(HomeLoop, IsTheSameEverywhereAndForEver) {
  EXPECT_EQ(home_loop("", 65'535), (0xcbf29ce484222325ULL ^ 0xcbf29ce4ULL) % 65'535);
  EXPECT_EQ(home_loop("a", 65'535), (0xaf63dc4c8601ec8cULL ^ 0xaf63dc4cULL) % 65'535);
}

TEST(HomeLoop, OfADeviceIsThatOfItsKeyAndName) {
  for (int i = 0; i < 100; ++i) {
    const std::string identity = std::string("pk") + '\0' + name(i);
    EXPECT_EQ(device_home_loop("pk", name(i), 7), home_loop(identity, 7));
  }
}

TEST(HomeLoop, SpreadsNumberedDevicesEvenly) {
  for (const LoopId loops : {LoopId{2}, LoopId{3}, LoopId{4}, LoopId{8}, LoopId{16}}) {
    std::vector<int> homes(loops);
    constexpr int kDevices = 16'000;
    for (int i = 0; i < kDevices; ++i) ++homes[device_home_loop("a1TestPrd01", name(i), loops)];
    for (const int count : homes) {
      EXPECT_GT(count, kDevices / loops * 8 / 10) << loops << " loops";
      EXPECT_LT(count, kDevices / loops * 12 / 10) << loops << " loops";
    }
  }
}

}  // namespace
}  // namespace mooring::session
