#include "gateway/delivery_times.h"

#include <gtest/gtest.h>

#include <numeric>

namespace mooring::gateway {
namespace {

// More moments than a turn keeps: messages that waited behind a window.
TEST(DeliveryTimes, CountsEveryDeliveryOfManyMoments) {
  const auto loop = net::Loop::create();
  ASSERT_TRUE(loop);
  DeliveryTimes times(**loop);
  const auto now = static_cast<std::uint32_t>((*loop)->now_ms());
  constexpr std::uint32_t kMoments = 300;
  for (std::uint32_t i = 0; i < kMoments; ++i) {
    times.count(now - kMoments + i);
    times.count(now - kMoments + i);
  }
  times.turn_ended((*loop)->now_ms());
  const auto& counts = times.times().counts;
  EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}), 2 * kMoments);
}

}  // namespace
}  // namespace mooring::gateway
