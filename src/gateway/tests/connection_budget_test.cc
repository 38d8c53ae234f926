#include "gateway/connection_budget.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace mooring::gateway {
namespace {

TEST(ConnectionBudget, APlaceIsTakenAndGivenBack) {
  ConnectionBudget budget;
  budget.max = 1;
  {
    const auto first = ConnectionPlace::within(budget);
    ASSERT_TRUE(first);
    EXPECT_FALSE(ConnectionPlace::within(budget));
    const ConnectionPlace whatever(budget);  // of an operator
    EXPECT_EQ(budget.open, 2U);
  }
  EXPECT_EQ(budget.open, 0U);
  budget.max = 0;
  const auto one = ConnectionPlace::within(budget), two = ConnectionPlace::within(budget);
  EXPECT_TRUE(one && two) << "no limit";
}

TEST(ConnectionBudget, LoopsTogetherTakeNoMoreThanThereAre) {
  constexpr std::size_t kMax = 3;
  ConnectionBudget budget;
  budget.max = kMax;
  std::atomic<std::size_t> held{0}, most{0}, taken{0};
  std::vector<std::thread> loops;
  for (int i = 0; i < 4; ++i) {
    loops.emplace_back([&] {
      for (int round = 0; round < 20'000; ++round) {
        auto place = ConnectionPlace::within(budget);
        if (!place) continue;
        const std::size_t now = ++held;
        std::size_t seen = most.load();
        while (now > seen && !most.compare_exchange_weak(seen, now)) {
        }
        ++taken;
        --held;
      }
    });
  }
  for (std::thread& loop : loops) loop.join();
  EXPECT_LE(most, kMax);
  EXPECT_GT(taken, 0U);
  EXPECT_EQ(budget.open, 0U);
}

}  // namespace
}  // namespace mooring::gateway
