#include "auth/key_table.h"

#include <gtest/gtest.h>

namespace mooring::auth {
namespace {

TEST(KeyTable, RemembersForAWhile) {
  KeyTable table(64);
  EXPECT_FALSE(table.marked_within(5, 10'000, 60'000));
  table.mark(5, 10'000);
  EXPECT_TRUE(table.marked_within(5, 10'000, 0));
  EXPECT_TRUE(table.marked_within(5, 70'000, 60'000));
  EXPECT_FALSE(table.marked_within(5, 72'000, 60'000));
  EXPECT_FALSE(table.marked_within(6, 10'000, 60'000));
  table.mark(5, 9'000);  // a clock that lags takes nothing back
  EXPECT_TRUE(table.marked_within(5, 70'000, 60'000));
  table.forget(5);
  EXPECT_FALSE(table.marked_within(5, 10'000, 60'000));
  table.forget(6);
}

TEST(KeyTable, CountsWithinASecond) {
  KeyTable table(64);
  EXPECT_EQ(table.count(5, 1000), 1U);
  EXPECT_EQ(table.count(5, 1999), 2U);
  EXPECT_EQ(table.count(6, 1999), 1U);
  EXPECT_EQ(table.count(5, 2000), 1U);
  EXPECT_EQ(table.count(5, 1999), 2U) << "a clock that lags counts into the newer second";
}

TEST(KeyTable, ForgetsTheOldestOfABucket) {
  KeyTable table(8);
  for (std::uint64_t key = 1; key <= 9; ++key) table.mark(key, static_cast<base::MonoMs>(key) * 1000);
  EXPECT_FALSE(table.marked_within(1, 9000, 60'000));
  for (std::uint64_t key = 2; key <= 9; ++key) EXPECT_TRUE(table.marked_within(key, 9000, 60'000)) << key;
}

}  // namespace
}  // namespace mooring::auth
