#include "storage/replies.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

namespace mooring::storage {
namespace {

// Runs tasks when it is told to.
class Tasks final : public base::Executor {
 public:
  void post(base::Task task) override { waiting_.push_back(std::move(task)); }
  bool run_one() {
    if (waiting_.empty()) return false;
    base::Task task = std::move(waiting_.front());
    waiting_.pop_front();
    task();
    return true;
  }
  void run_all() {
    while (run_one()) {
    }
  }
  void drop() { waiting_.clear(); }

 private:
  std::deque<base::Task> waiting_;
};

class Appends final : public session::AppendListener {
 public:
  void on_appended(std::span<const session::QueueItemRef> items) override {
    for (const auto& item : items) sequences.push_back(item->sequence);
    calls.push_back(items.size());
  }
  void on_append_failed(std::span<const session::QueueItemRef>, const base::Error&) override { ADD_FAILURE(); }
  std::vector<std::uint64_t> sequences;
  std::vector<std::size_t> calls;
};

session::QueueItemRef item(std::uint64_t sequence) {
  return std::make_shared<session::QueueItem>(1, sequence, mqtt::MessageRef());
}

constexpr std::size_t kPortion = Replies::kPortion;

TEST(Replies, ManyAreGivenInPortionsAndInOrder) {
  Tasks loop;
  Replies replies;
  Replies::Backlog backlog;
  std::vector<std::size_t> told;
  constexpr std::size_t kMany = 3 * kPortion + 1;
  for (std::size_t i = 0; i < kMany; ++i) replies.task(loop, [&told, i] { told.push_back(i); });
  replies.post(backlog);
  // A later group, which has to wait behind.
  replies.task(loop, [&told, last = kMany] { told.push_back(last); });
  replies.post(backlog);

  ASSERT_TRUE(loop.run_one());
  EXPECT_EQ(told.size(), kPortion);
  loop.run_all();
  ASSERT_EQ(told.size(), kMany + 1);
  for (std::size_t i = 0; i <= kMany; ++i) EXPECT_EQ(told[i], i);
}

TEST(Replies, AppendedItemsAreCountedOneByOne) {
  Tasks loop;
  Appends appends;
  Replies replies;
  Replies::Backlog backlog;
  constexpr std::size_t kMany = 2 * kPortion + 5;
  for (std::size_t i = 0; i < kMany; ++i) replies.appended(loop, appends, item(i));
  replies.post(backlog);
  ASSERT_TRUE(loop.run_one());
  EXPECT_EQ(appends.calls, std::vector<std::size_t>{kPortion});
  loop.run_all();
  EXPECT_EQ(appends.calls, (std::vector<std::size_t>{kPortion, kPortion, 5}));
  for (std::size_t i = 0; i < kMany; ++i) EXPECT_EQ(appends.sequences[i], i);
}

TEST(Replies, ABacklogStopsGrowing) {
  Tasks loop;
  Appends appends;
  Replies replies;
  Replies::Backlog backlog;
  constexpr std::size_t kEach = 4 * kPortion;  // comes in while one portion is given
  std::uint64_t posted = 0;
  std::size_t longest = 0;
  for (int round = 0; round < 400; ++round) {
    for (std::size_t i = 0; i < kEach; ++i) replies.appended(loop, appends, item(posted++));
    replies.post(backlog);
    // The new ones and, once there is a backlog, the task that serves it.
    loop.run_one();
    loop.run_one();
    longest = std::max(longest, posted - appends.sequences.size());
  }
  EXPECT_LE(longest, (Replies::kShareAtOnce + 2) * kEach);
  loop.run_all();
  ASSERT_EQ(appends.sequences.size(), posted);
  for (std::size_t i = 0; i < posted; ++i) ASSERT_EQ(appends.sequences[i], i);
}

TEST(Replies, ALoopThatEndsTakesItsAnswersAlong) {
  Tasks loop;
  Replies replies;
  Replies::Backlog backlog;
  const auto held = std::make_shared<int>(0);
  for (std::size_t i = 0; i < 2 * kPortion; ++i) replies.task(loop, [held] {});
  replies.post(backlog);
  ASSERT_TRUE(loop.run_one());
  loop.drop();
  EXPECT_EQ(held.use_count(), 1) << "the backlog keeps nothing";
}

TEST(Replies, LoopsDoNotWaitForEachOther) {
  Tasks one;
  Tasks other;
  Replies replies;
  Replies::Backlog backlog;
  std::size_t told = 0;
  for (std::size_t i = 0; i < 2 * kPortion; ++i) replies.task(one, [] {});
  replies.task(other, [&told] { ++told; });
  replies.post(backlog);
  ASSERT_TRUE(one.run_one());
  ASSERT_TRUE(other.run_one());
  EXPECT_EQ(told, 1U);
  one.run_all();
}

}  // namespace
}  // namespace mooring::storage
