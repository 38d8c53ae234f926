#include "../load/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace mooring::bench {
namespace {

TEST(Histogram, EmptyOneSaysZero) {
  EXPECT_EQ(Histogram().quantile_us(0.5), 0);
  EXPECT_EQ(Histogram().max_us(), 0);
}

TEST(Histogram, QuantilesAreWithinOnePercentOfTheTruth) {
  std::mt19937_64 random(1);
  std::lognormal_distribution<double> delays(11, 2);
  Histogram histogram;
  std::vector<std::int64_t> all;
  for (int i = 0; i < 100'000; ++i) {
    all.push_back(static_cast<std::int64_t>(delays(random)));
    histogram.add(all.back());
  }
  std::sort(all.begin(), all.end());
  for (const double share : {0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto truth = static_cast<double>(all[static_cast<std::size_t>(share * 100'000) - 1]) / 1e3;
    EXPECT_GE(histogram.quantile_us(share), truth);
    EXPECT_LE(histogram.quantile_us(share), truth * 1.01);
  }
  EXPECT_EQ(histogram.max_us(), static_cast<double>(all.back()) / 1e3);
}

TEST(Histogram, SmallValuesAreExact) {
  for (const std::int64_t value : {0, 1, 127, 128, 255}) {
    Histogram histogram;
    histogram.add(value);
    histogram.add(value + 1'000'000);
    EXPECT_EQ(histogram.quantile_us(0.5), static_cast<double>(value) / 1e3);
  }
}

TEST(Histogram, WhatIsTooLongOrNegativeIsKeptAtTheEdge) {
  Histogram histogram;
  histogram.add(-5);
  histogram.add(INT64_MAX);
  EXPECT_EQ(histogram.total(), 2U);
  EXPECT_EQ(histogram.quantile_us(0.5), 0);
  EXPECT_GT(histogram.max_us(), 1e9);
}

}  // namespace
}  // namespace mooring::bench
