#include "broker/replay_queue.h"

#include <gtest/gtest.h>

namespace mooring::broker {
namespace {

RetainedReplay replay_of(std::string filter) {
  return {{std::move(filter), 0}, {}};
}

TEST(ReplayQueue, OldestFirst) {
  ReplayQueue queue;
  for (const char* filter : {"a", "b/b", "c"}) queue.push(replay_of(filter));
  EXPECT_EQ(queue.bytes(), 5U);
  EXPECT_EQ(queue.front().subscription.filter, "a");
  queue.pop();
  EXPECT_EQ(queue.front().subscription.filter, "b/b");
  EXPECT_EQ(queue.bytes(), 4U);
  queue.clear();
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.bytes(), 0U);
}

TEST(ReplayQueue, BoundedInNumber) {
  ReplayQueue queue;
  while (queue.takes(1)) queue.push(replay_of("t"));
  EXPECT_EQ(queue.size(), ReplayQueue::kMaxReplays);
  queue.pop();
  EXPECT_TRUE(queue.takes(1)) << "what is done makes room";
}

TEST(ReplayQueue, BoundedInBytes) {
  ReplayQueue queue;
  const std::string longest(65'535, 'x');
  while (queue.takes(longest.size())) queue.push(replay_of(longest));
  EXPECT_EQ(queue.size(), 32U);
  EXPECT_LE(queue.bytes(), ReplayQueue::kMaxBytes);
  queue.drop({longest});
  EXPECT_TRUE(queue.empty());
  EXPECT_TRUE(queue.takes(longest.size()));
}

TEST(ReplayQueue, DropsWhatEndedAndKeepsTheOrderOfTheRest) {
  ReplayQueue queue;
  for (const char* filter : {"a", "b", "a", "c", "d"}) queue.push(replay_of(filter));
  queue.front().after = "a/1";
  queue.drop({"c", "b", "none"});
  ASSERT_EQ(queue.size(), 3U);
  EXPECT_EQ(queue.front().after, "a/1") << "what is under way goes on where it was";
  queue.pop();
  EXPECT_EQ(queue.front().subscription.filter, "a");
  queue.pop();
  EXPECT_EQ(queue.front().subscription.filter, "d");
}

}  // namespace
}  // namespace mooring::broker
