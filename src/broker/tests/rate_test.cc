#include "broker/rate.h"

#include <gtest/gtest.h>
#include <time.h>

#include <algorithm>
#include <string>

#include "broker/detached_rates.h"

namespace mooring::broker {
namespace {

int taken(TokenBucket& bucket, std::uint32_t limit, base::MonoMs now, int tries) {
  int count = 0;
  for (int i = 0; i < tries; ++i) count += bucket.take(limit, now) ? 1 : 0;
  return count;
}

TEST(TokenBucket, HoldsOneSecondAndRefillsEvenly) {
  TokenBucket bucket;
  EXPECT_EQ(taken(bucket, 10, 5, 100), 10);
  EXPECT_EQ(taken(bucket, 10, 104, 100), 0);
  EXPECT_EQ(taken(bucket, 10, 105, 100), 1);
  EXPECT_EQ(taken(bucket, 10, 405, 100), 3);
  EXPECT_EQ(taken(bucket, 10, 60'000, 100), 10) << "no more than a second's worth is saved";
}

TEST(TokenBucket, SteadyTrafficAtTheLimitPasses) {
  for (const std::uint32_t limit : {1U, 10U, 30U, 999U}) {
    TokenBucket bucket;
    EXPECT_EQ(taken(bucket, limit, 1'000'000, 2000), static_cast<int>(limit));  // empty now
    int passed = 0;
    for (base::MonoMs at = 1'000'001; at <= 1'010'000; ++at) passed += taken(bucket, limit, at, 2);
    EXPECT_EQ(passed, static_cast<int>(10 * limit)) << limit;
  }
}

TEST(TokenBucket, ZeroIsNoLimitAndALowerOneHoldsAtOnce) {
  TokenBucket bucket;
  EXPECT_EQ(taken(bucket, 0, 7, 100'000), 100'000);
  EXPECT_EQ(taken(bucket, kMaxRatePerSecond, 7, 500'000), 500'000);
  EXPECT_EQ(taken(bucket, 3, 7, 100), 3);
}

TEST(DetachedRates, EachDeviceHasItsOwnAndTheyAreBounded) {
  DetachedRates rates;
  EXPECT_EQ(taken(rates.of({"pk", "a"}, 0), 10, 0, 100), 10);
  EXPECT_EQ(taken(rates.of({"pk", "a"}, 100), 10, 100, 100), 1);
  EXPECT_EQ(taken(rates.of({"pk", "b"}, 100), 10, 100, 100), 10);
  for (std::size_t i = 0; i < 2 * DetachedRates::kMaxDevices; ++i) {
    const std::string name = "d" + std::to_string(i);
    EXPECT_EQ(taken(rates.of({"pk", name}, 200), 10, 200, 11), 10);
    ASSERT_LE(rates.size(), DetachedRates::kMaxDevices);
  }
  for (std::size_t i = 0; i < DetachedRates::kMaxDevices; ++i) rates.of({"pk", "e" + std::to_string(i)}, 1100);
  EXPECT_EQ(taken(rates.of({"pk", "e0"}, 1100), 10, 1100, 100), 10);
  EXPECT_LE(rates.size(), DetachedRates::kMaxDevices);
}

double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// With as many devices as the bound in a second, every new one looked through the whole table.
TEST(DetachedRates, ManyDevicesCostEachNoMoreThanFew) {
  const auto cost_of = [](std::size_t devices) {
    constexpr std::size_t kCalls = 4 * DetachedRates::kMaxDevices;
    DetachedRates rates;
    const double before = cpu_seconds();
    for (std::size_t i = 0; i < kCalls; ++i) {
      rates.of({"pk", std::to_string(i % devices)}, static_cast<base::MonoMs>(i * 1000 / DetachedRates::kMaxDevices));
    }
    EXPECT_EQ(rates.size(), std::min(devices, DetachedRates::kMaxDevices));
    return cpu_seconds() - before;
  };
  const double few = cost_of(1000);
  EXPECT_LT(cost_of(3 * DetachedRates::kMaxDevices), 40 * few);
}

TEST(TokenBucket, TheClockComesAround) {
  TokenBucket bucket;
  const base::MonoMs end = std::int64_t{1} << 32;
  EXPECT_EQ(taken(bucket, 10, end - 500, 100), 10);
  EXPECT_EQ(taken(bucket, 10, end + 500, 100), 10);
  EXPECT_EQ(taken(bucket, 10, end + 600, 100), 1);
  static_assert(sizeof(TokenBucket) == 8);
}

int taken(RateShare& share, base::MonoMs now, int tries) {
  int count = 0;
  for (int i = 0; i < tries; ++i) count += share.take(now) ? 1 : 0;
  return count;
}

TEST(InstanceRate, IsSharedByTheLoops) {
  InstanceRate whole;
  RateShare one(whole);
  RateShare two(whole);
  EXPECT_EQ(taken(one, 0, 50'000), 50'000) << "no limit";
  whole.set_limit(1000);
  int sum = 0;
  for (int i = 0; i < 2000; ++i) sum += taken(i % 2 == 0 ? one : two, 5000 + i / 4, 1);
  EXPECT_EQ(sum, 1000);
  EXPECT_EQ(taken(one, 5999, 10), 0);
  EXPECT_EQ(taken(one, 6000, 5000), 1000) << "a new second; the other loop asks for nothing";
  // What one loop took and does not use is lost to the other for this second: at most a portion.
  EXPECT_EQ(taken(one, 7000, 1), 1);
  EXPECT_GE(taken(two, 7000, 5000), 1000 - 1000 / 64);
}

TEST(InstanceRate, SmallLimitsAreExact) {
  InstanceRate whole;
  whole.set_limit(5);
  RateShare one(whole);
  RateShare two(whole);
  EXPECT_EQ(taken(one, 9000, 3) + taken(two, 9000, 10), 5);
  // A loop whose clock lags takes from the newer second.
  EXPECT_EQ(taken(two, 10'000, 4), 4);
  EXPECT_EQ(taken(one, 9999, 10), 1);
}

TEST(RefusedInSecond, CountsWithinTheSecond) {
  RefusedInSecond refused;
  EXPECT_EQ(refused.count(1000), 1U);
  EXPECT_EQ(refused.count(1999), 2U);
  EXPECT_EQ(refused.count(2000), 1U);
}

}  // namespace
}  // namespace mooring::broker
