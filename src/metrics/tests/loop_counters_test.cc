#include "metrics/loop_counters.h"

#include <gtest/gtest.h>

#include <numeric>

namespace mooring::metrics {
namespace {

TEST(LoopCounters, loops_add_up) {
  LoopCounters one, other;
  one.connected = {1, 2, 3, 4};
  one.messages_in = {5, 6, 7};
  one.connect_ms.observe(3);
  other.connected = {10, 20, 30, 40};
  other.handshakes_legacy = 2;
  other.connect_ms.observe(7);
  one += other;
  EXPECT_EQ(one.connected, (std::array<std::uint64_t, 4>{11, 22, 33, 44}));
  EXPECT_EQ(one.messages_in, (std::array<std::uint64_t, 3>{5, 6, 7}));
  EXPECT_EQ(one.handshakes_legacy, 2U);
  EXPECT_EQ(one.connect_ms.sum, 10U);
  EXPECT_EQ(std::accumulate(one.connect_ms.counts.begin(), one.connect_ms.counts.end(), 0U), 2U);
}

TEST(LoopCounters, a_bound_belongs_to_the_interval_below_it) {
  Histogram times;
  times.observe(0);
  times.observe(1);
  times.observe(2);
  times.observe(5001);
  EXPECT_EQ(times.counts[0], 2U);
  EXPECT_EQ(times.counts[1], 1U);
  EXPECT_EQ(times.counts.back(), 1U);
}

TEST(LoopCounters, channels_have_the_names_of_their_numbers) {
  EXPECT_STREQ(kChannelNames[static_cast<std::size_t>(channel_of(false, false))], "tcp");
  EXPECT_STREQ(kChannelNames[static_cast<std::size_t>(channel_of(true, false))], "tls");
  EXPECT_STREQ(kChannelNames[static_cast<std::size_t>(channel_of(false, true))], "ws");
  EXPECT_STREQ(kChannelNames[static_cast<std::size_t>(channel_of(true, true))], "wss");
}

}  // namespace
}  // namespace mooring::metrics
