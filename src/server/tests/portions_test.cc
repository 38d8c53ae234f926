#include "server/portions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace mooring::server {
namespace {

class OneLoop final : public base::Executor {
 public:
  void post(base::Task task) override { tasks.push_back(std::move(task)); }
  std::deque<base::Task> tasks;
};

TEST(Portions, APortionATurnInTheOrderGiven) {
  OneLoop loop;
  std::vector<int> done;
  Portions<int> portions(loop, 1000, [&](int& number) { done.push_back(number); });
  std::vector<int> all(2500);
  std::iota(all.begin(), all.end(), 0);
  portions.add(all);
  EXPECT_EQ(done.size(), 1000U);
  portions.add({2500, 2501});
  EXPECT_EQ(done.size(), 1000U) << "what comes later does not overtake";
  std::size_t turns = 1;
  while (!loop.tasks.empty()) {
    ASSERT_EQ(loop.tasks.size(), 1U);
    const std::size_t before = done.size();
    base::Task task = std::move(loop.tasks.front());
    loop.tasks.pop_front();
    task();
    EXPECT_LE(done.size() - before, 1000U);
    ++turns;
  }
  EXPECT_EQ(turns, 3U);
  all.insert(all.end(), {2500, 2501});
  EXPECT_EQ(done, all);
  portions.add({7});
  EXPECT_EQ(done.back(), 7) << "at once, when nothing waits";
  EXPECT_TRUE(loop.tasks.empty());
}

}  // namespace
}  // namespace mooring::server
