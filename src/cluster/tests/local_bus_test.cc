#include "cluster/local_bus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cluster/tests/fake_loops.h"

namespace mooring::cluster {
namespace {

using routing::LoopId;
using testing::ElementsAre;

// Settled how often, and with what.
struct Outcome {
  std::atomic<int> settled{0};
  std::atomic<std::uint32_t> receivers{0};
  std::atomic<bool> failed{false};
};

class TestReceipt final : public routing::Receipt {
 public:
  explicit TestReceipt(Outcome& outcome) : outcome_(outcome) {}

 private:
  void all_settled(const routing::ReceiptTotals& totals) override {
    outcome_.receivers = totals.receivers;
    outcome_.failed = totals.failed;
    outcome_.settled += 1;
  }
  Outcome& outcome_;
};

// Writes down what arrives, as text, and settles receipts as a receiver.
class Recorder final : public routing::BusListener {
 public:
  void on_remote_message(const mqtt::MessageRef& message, routing::ReceiptRef receipt) override {
    arrived.push_back(std::string(message->topic()));
    copies.push_back(message);
    settle(receipt);
  }
  void on_remote_share_message(const mqtt::MessageRef& message, routing::ReceiptRef receipt, std::string_view share,
                               unsigned hops) override {
    arrived.push_back(std::string(message->topic()) + ">" + std::string(share) + "#" + std::to_string(hops));
    settle(receipt);
  }
  void on_remote_interest(LoopId loop, std::string_view filter, bool added) override {
    arrived.push_back(std::to_string(loop) + (added ? "+" : "-") + std::string(filter));
  }
  void on_remote_share(LoopId loop, std::string_view share, routing::ShareCount count) override {
    arrived.push_back(std::to_string(loop) + "=" + std::string(share) + ":" + std::to_string(count.online) + "/" +
                      std::to_string(count.all));
  }
  std::vector<std::string> arrived;
  std::vector<mqtt::MessageRef> copies;

 private:
  static void settle(const routing::ReceiptRef& receipt) {
    if (!receipt) return;
    receipt->count({1, 0, false});
    receipt->settle();
  }
};

mqtt::MessageRef message(const std::string& topic) {
  return mqtt::Message::create(topic, {}, 0, false);
}

const routing::ReceiptRef kNoReceipt;

// Publishes as a broker does: one share for each target, then the publisher's own is settled.
void publish_counted(routing::Bus& bus, const mqtt::MessageRef& what, std::span<const LoopId> targets,
                     Outcome& outcome) {
  const routing::ReceiptRef receipt(new TestReceipt(outcome));
  receipt->expect(static_cast<std::uint32_t>(targets.size()));
  bus.publish(what, receipt, targets);
  receipt->settle();
}

void publish_to_share_counted(routing::Bus& bus, const mqtt::MessageRef& what, LoopId target, Outcome& outcome) {
  const routing::ReceiptRef receipt(new TestReceipt(outcome));
  receipt->expect();
  bus.publish_to_share(what, receipt, target, "$share/g/a", 1);
  receipt->settle();
}

class LocalBusTest : public testing::Test {
 protected:
  static constexpr std::size_t kLoops = 3;
  LocalBusTest() {
    for (std::size_t i = 0; i < kLoops; ++i) cluster_.attach(static_cast<LoopId>(i), loops_[i], listeners_[i]);
  }
  void run_one_of(std::size_t loop) { loops_[loop].run_one(); }
  void run_all() {
    std::mt19937 random(1);
    while (loops_.run_one(random, [](std::size_t) {})) {
    }
  }
  FakeLoops loops_{kLoops};
  std::array<Recorder, kLoops> listeners_;
  LocalCluster cluster_{kLoops};
};

TEST_F(LocalBusTest, NothingLeavesBeforeTheFlush) {
  const std::array<LoopId, 1> target{1};
  cluster_.bus(0).publish(message("a"), kNoReceipt, target);
  run_all();
  EXPECT_TRUE(listeners_[1].arrived.empty());
  cluster_.bus(0).flush();
  EXPECT_TRUE(listeners_[1].arrived.empty()) << "never inline";
  run_all();
  EXPECT_THAT(listeners_[1].arrived, ElementsAre("a"));
  EXPECT_TRUE(listeners_[2].arrived.empty());
}

TEST_F(LocalBusTest, OneWakeUpForEachDestination) {
  const std::array<LoopId, 2> both{1, 2};
  const std::array<LoopId, 1> one{2};
  const auto shared = message("a");
  for (int i = 0; i < 100; ++i) cluster_.bus(0).publish(shared, kNoReceipt, both);
  cluster_.bus(0).publish(message("b"), kNoReceipt, one);
  cluster_.bus(0).add_interest("x/#");
  cluster_.bus(0).flush();
  cluster_.bus(0).flush();
  EXPECT_EQ(loops_[0].posts(), 0U);
  EXPECT_EQ(loops_[1].posts(), 1U);
  EXPECT_EQ(loops_[2].posts(), 1U);
  run_all();
  EXPECT_EQ(listeners_[1].arrived.size(), 101U);
  EXPECT_EQ(listeners_[2].arrived.size(), 102U);
  EXPECT_EQ(cluster_.arrivals(1).batches, 1U);
  EXPECT_EQ(cluster_.arrivals(1).messages, 100U) << "and a change of interest";
  EXPECT_EQ(cluster_.arrivals(2).messages, 101U);
  EXPECT_EQ(cluster_.arrivals(0).batches, 0U);
  EXPECT_EQ(&*listeners_[1].copies.front(), &*shared) << "messages are shared, not copied";
}

TEST_F(LocalBusTest, ChangesReachAllOthersInOrderWithMessages) {
  const std::array<LoopId, 1> target{0};
  routing::Bus& bus = cluster_.bus(1);
  bus.add_interest("a/+");
  bus.publish(message("m1"), kNoReceipt, target);
  bus.set_share("$share/g/a", {1, 2});
  bus.publish_to_share(message("m2"), kNoReceipt, 0, "$share/g/b", 2);
  bus.drop_interest("a/+");
  bus.set_share("$share/g/a", {0, 0});
  bus.flush();
  run_all();
  EXPECT_THAT(listeners_[0].arrived,
              ElementsAre("1+a/+", "m1", "1=$share/g/a:1/2", "m2>$share/g/b#2", "1-a/+", "1=$share/g/a:0/0"));
  EXPECT_TRUE(listeners_[1].arrived.empty());
  EXPECT_THAT(listeners_[2].arrived, ElementsAre("1+a/+", "1=$share/g/a:1/2", "1-a/+", "1=$share/g/a:0/0"));
}

TEST_F(LocalBusTest, AFullBatchLeavesAtOnce) {
  const std::array<LoopId, 1> target{1};
  for (std::size_t i = 0; i < LocalCluster::kMaxBatchItems; ++i)
    cluster_.bus(0).publish(message("a"), kNoReceipt, target);
  EXPECT_EQ(loops_[1].posts(), 1U);
  cluster_.bus(0).publish(message("b"), kNoReceipt, target);
  cluster_.bus(0).flush();
  run_all();
  EXPECT_EQ(listeners_[1].arrived.size(), LocalCluster::kMaxBatchItems + 1);
  EXPECT_EQ(listeners_[1].arrived.back(), "b");
}

TEST_F(LocalBusTest, ADetachedListenerIsLeftAlone) {
  const std::array<LoopId, 1> target{1};
  cluster_.bus(0).publish(message("a"), kNoReceipt, target);
  cluster_.bus(0).flush();
  cluster_.detach(1);
  run_all();
  EXPECT_TRUE(listeners_[1].arrived.empty());
}

TEST_F(LocalBusTest, ReceiptsTravelWithMessages) {
  const std::array<LoopId, 2> both{1, 2};
  Outcome outcome;
  publish_counted(cluster_.bus(0), message("a"), both, outcome);
  Outcome of_share;
  publish_to_share_counted(cluster_.bus(0), message("a"), 2, of_share);
  cluster_.bus(0).flush();
  loops_[1].run_one();
  EXPECT_EQ(outcome.settled, 0);
  loops_[2].run_one();
  EXPECT_EQ(outcome.settled, 1);
  EXPECT_EQ(outcome.receivers, 2U);
  EXPECT_FALSE(outcome.failed);
  EXPECT_EQ(of_share.settled, 1);
  EXPECT_EQ(of_share.receivers, 1U);
  EXPECT_FALSE(of_share.failed);
}

// Nobody may be told that a lost message is safe.
TEST_F(LocalBusTest, WhatReachesNobodySettlesItsReceiptAsFailed) {
  const std::array<LoopId, 2> both{1, 2};
  Outcome outcome;
  Outcome of_share;
  publish_counted(cluster_.bus(0), message("a"), both, outcome);
  publish_to_share_counted(cluster_.bus(0), message("a"), 1, of_share);
  cluster_.bus(0).flush();
  cluster_.detach(1);
  run_all();
  EXPECT_EQ(outcome.settled, 1);
  EXPECT_EQ(outcome.receivers, 1U);
  EXPECT_TRUE(outcome.failed);
  EXPECT_EQ(of_share.settled, 1);
  EXPECT_TRUE(of_share.failed);
}

TEST_F(LocalBusTest, WhatWasCollectedIsSettledWhenItsLoopIsDetached) {
  const std::array<LoopId, 1> target{1};
  Outcome outcome;
  publish_counted(cluster_.bus(0), message("a"), target, outcome);
  cluster_.detach(0);
  EXPECT_EQ(outcome.settled, 1);
  EXPECT_TRUE(outcome.failed);
  cluster_.bus(0).flush();
  run_all();
  EXPECT_TRUE(listeners_[1].arrived.empty());
}

TEST(LocalBus, WhatIsNeverRunIsSettled) {
  Outcome queued;
  Outcome collected;
  int synced = 0;
  const std::array<LoopId, 1> target{1};
  {
    FakeLoop first;
    std::array<Recorder, 2> listeners;
    LocalCluster cluster(2);
    {
      FakeLoop second;
      cluster.attach(0, first, listeners[0]);
      cluster.attach(1, second, listeners[1]);
      publish_counted(cluster.bus(0), message("a"), target, queued);
      cluster.bus(0).sync([&synced] { synced += 1; });
      cluster.bus(0).flush();
      publish_counted(cluster.bus(0), message("a"), target, collected);
    }
    EXPECT_EQ(queued.settled, 1);
    EXPECT_TRUE(queued.failed);
    EXPECT_EQ(synced, 0) << "never inline";
    first.run_one();
    EXPECT_EQ(synced, 1);
    EXPECT_EQ(collected.settled, 0);
  }
  EXPECT_EQ(collected.settled, 1);
  EXPECT_TRUE(collected.failed);
}

// The tasks of a loop may be dropped after the cluster is gone.
TEST(LocalBus, TasksOutliveTheCluster) {
  Outcome outcome;
  bool freed = false;
  const std::shared_ptr<bool> held(&freed, [](bool* done) { *done = true; });
  bool called = false;
  {
    FakeLoops loops(2);
    std::array<Recorder, 2> listeners;
    LocalCluster cluster(2);
    for (LoopId i = 0; i < 2; ++i) cluster.attach(i, loops[i], listeners[i]);
    publish_counted(cluster.bus(0), message("a"), std::array<LoopId, 1>{1}, outcome);
    cluster.bus(0).sync([held, &called] { called = true; });
    cluster.bus(0).flush();
  }
  EXPECT_EQ(outcome.settled, 1);
  EXPECT_FALSE(called);
  EXPECT_EQ(held.use_count(), 1);
}

TEST_F(LocalBusTest, SyncComesAfterWhatWasGivenBefore) {
  const std::array<LoopId, 2> both{1, 2};
  std::vector<std::size_t> seen;
  const auto look = [this, &seen] { seen.push_back(listeners_[1].arrived.size() + listeners_[2].arrived.size()); };
  routing::Bus& bus = cluster_.bus(0);
  bus.publish(message("a"), kNoReceipt, both);
  bus.flush();
  bus.publish(message("b"), kNoReceipt, both);
  bus.sync(look);
  bus.publish(message("c"), kNoReceipt, both);
  bus.sync(look);
  run_all();
  EXPECT_TRUE(seen.empty()) << "it leaves with the others";
  bus.flush();
  loops_[1].run_one();
  EXPECT_TRUE(loops_[0].idle());
  loops_[2].run_one();
  EXPECT_TRUE(seen.empty()) << "never on another loop";
  run_all();
  EXPECT_THAT(seen, ElementsAre(6, 6));
}

TEST_F(LocalBusTest, ADetachedLoopStillAnswersSync) {
  int synced = 0;
  cluster_.bus(0).sync([&synced] { synced += 1; });
  cluster_.bus(0).flush();
  cluster_.detach(1);
  run_all();
  EXPECT_EQ(synced, 1);
  cluster_.bus(0).sync([&synced] { synced += 1; });
  cluster_.bus(0).flush();
  run_all();
  EXPECT_EQ(synced, 2);
}

TEST_F(LocalBusTest, ADetachedLoopGetsNoAnswer) {
  const auto held = std::make_shared<int>(0);
  cluster_.bus(0).sync([held] { *held += 1; });
  cluster_.bus(0).flush();
  run_one_of(1);
  run_one_of(2);
  EXPECT_FALSE(loops_[0].idle()) << "the answer is on its way";
  cluster_.bus(0).sync([held] { *held += 1; });
  cluster_.bus(0).flush();
  cluster_.detach(0);
  cluster_.bus(0).sync([held] { *held += 1; });
  EXPECT_EQ(held.use_count(), 1) << "it is let go at once, on its loop";
  run_all();
  EXPECT_EQ(*held, 0);
}

TEST_F(LocalBusTest, OneLoopAloneTalksToNobody) {
  FakeLoops loops(1);
  Recorder listener;
  LocalCluster cluster(1);
  cluster.attach(0, loops[0], listener);
  cluster.bus(0).add_interest("a");
  cluster.bus(0).publish(message("a"), kNoReceipt, {});
  cluster.bus(0).set_share("$share/g/a", {1, 1});
  cluster.bus(0).flush();
  EXPECT_EQ(loops[0].posts(), 0U);
}

TEST(LocalBus, SyncOfALoopAloneIsPosted) {
  FakeLoops loops(1);
  Recorder listener;
  LocalCluster cluster(1);
  cluster.attach(0, loops[0], listener);
  int synced = 0;
  cluster.bus(0).sync([&synced] { synced += 1; });
  EXPECT_EQ(synced, 0);
  ASSERT_FALSE(loops[0].idle());
  loops[0].run_one();
  EXPECT_EQ(synced, 1);
  EXPECT_TRUE(loops[0].idle());
}

// From one loop to another nothing is lost, doubled or overtaken, whatever the turns of the loops; a sync() is answered
// once, after all of it, and every receipt is settled.
class Interleaving {
 public:
  Interleaving(std::uint32_t seed, std::size_t count)
      : random_(seed), count_(count), loops_(count), cluster_(count), listeners_(count) {
    for (std::size_t i = 0; i < count; ++i) cluster_.attach(static_cast<LoopId>(i), loops_[i], listeners_[i]);
  }

  void step(int number) {
    const std::size_t from = random_() % count_;
    const auto to = static_cast<LoopId>((from + 1 + random_() % (count_ - 1)) % count_);
    routing::Bus& bus = cluster_.bus(static_cast<LoopId>(from));
    const std::string text = std::to_string(number);
    const std::string name = std::to_string(from) + "+" + text;
    switch (random_() % 9) {
      case 0:
        bus.add_interest(text);
        sent_to_all(from, name);
        break;
      case 1:
        bus.set_share(text, {1, 1});
        sent_to_all(from, std::to_string(from) + "=" + text + ":1/1");
        break;
      case 2:
        publish_counted(bus, message(name), std::array{to}, outcomes_.emplace_back());
        sent_[{from, to}].push_back(name);
        break;
      case 3:
        publish_to_share_counted(bus, message(name), to, outcomes_.emplace_back());
        sent_[{from, to}].push_back(name + ">$share/g/a#1");
        break;
      case 4:
        sync(from);
        break;
      case 5:
        bus.flush();
        break;
      default:
        loops_.run_one(random_, [](std::size_t) {});
    }
  }

  void finish() {
    for (std::size_t i = 0; i < count_; ++i) cluster_.bus(static_cast<LoopId>(i)).flush();
    while (loops_.run_one(random_, [](std::size_t) {})) {
    }
  }

  void check() const {
    for (std::size_t to = 0; to < count_; ++to) {
      std::size_t total = 0;
      for (std::size_t from = 0; from < count_; ++from) {
        ASSERT_EQ(arrived(from, to), sent(from, to)) << "from " << from << " to " << to;
        total += sent(from, to).size();
      }
      ASSERT_EQ(listeners_[to].arrived.size(), total);
    }
    for (const Outcome& outcome : outcomes_) {
      ASSERT_EQ(outcome.settled, 1);
      ASSERT_EQ(outcome.receivers, 1U);
      ASSERT_FALSE(outcome.failed);
    }
    ASSERT_EQ(answers_, syncs_);
    ASSERT_EQ(early_answers_, 0);
  }

 private:
  void sent_to_all(std::size_t from, const std::string& text) {
    for (std::size_t to = 0; to < count_; ++to) {
      if (to != from) sent_[{from, to}].push_back(text);
    }
  }

  void sync(std::size_t from) {
    std::vector<std::size_t> before(count_);
    for (std::size_t to = 0; to < count_; ++to) before[to] = sent(from, to).size();
    syncs_ += 1;
    cluster_.bus(static_cast<LoopId>(from)).sync([this, from, before] {
      answers_ += 1;
      for (std::size_t to = 0; to < count_; ++to) early_answers_ += arrived(from, to).size() < before[to] ? 1 : 0;
    });
  }

  std::vector<std::string> sent(std::size_t from, std::size_t to) const {
    const auto found = sent_.find({from, to});
    return found == sent_.end() ? std::vector<std::string>() : found->second;
  }

  std::vector<std::string> arrived(std::size_t from, std::size_t to) const {
    std::vector<std::string> got;
    const std::string mark = std::to_string(from);
    std::copy_if(listeners_[to].arrived.begin(), listeners_[to].arrived.end(), std::back_inserter(got),
                 [&](const std::string& text) { return text.starts_with(mark + "+") || text.starts_with(mark + "="); });
    return got;
  }

  std::mt19937 random_;
  const std::size_t count_;
  FakeLoops loops_;
  LocalCluster cluster_;
  std::vector<Recorder> listeners_;
  std::map<std::pair<std::size_t, std::size_t>, std::vector<std::string>> sent_;  // by sender and destination
  std::deque<Outcome> outcomes_;
  int syncs_ = 0;
  int answers_ = 0;
  int early_answers_ = 0;
};

TEST(LocalBus, OrderIsKeptInEveryInterleaving) {
  for (std::uint32_t seed = 0; seed < 120; ++seed) {
    Interleaving run(seed, 2 + seed % 4);
    for (int number = 0; number < 600; ++number) run.step(number);
    run.finish();
    ASSERT_NO_FATAL_FAILURE(run.check()) << "seed " << seed;
  }
}

// A loop with a thread of its own. Tasks left when it ends are dropped.
class ThreadLoop final : public base::Executor {
 public:
  ThreadLoop() = default;
  ~ThreadLoop() override { stop(); }
  void start() {
    thread_ = std::thread([this] { run(); });
  }
  void post(base::Task task) override {
    {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    wake_.notify_one();
  }
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void run() {
    for (;;) {
      base::Task task;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return stopped_ || !tasks_.empty(); });
        if (stopped_) return;
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
      task();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopped_ = false;
  std::deque<base::Task> tasks_;
  std::thread thread_;
};

// Loops on threads of their own publish to each other and sync; one of them goes away in the middle.
TEST(LocalBus, ThreadsAndALoopThatStops) {
  constexpr std::size_t kLoops = 3;
  constexpr int kRounds = 300;
  std::deque<Outcome> outcomes(kLoops * kRounds);
  std::array<std::atomic<int>, kLoops> synced{};
  std::atomic<int> out_of_order{0};
  std::size_t arrived_at_detach = 0;
  int synced_at_detach = -1;
  {
    std::array<Recorder, kLoops> listeners;
    LocalCluster cluster(kLoops);
    std::array<ThreadLoop, kLoops> loops;
    for (LoopId i = 0; i < kLoops; ++i) cluster.attach(i, loops[i], listeners[i]);
    const auto round = [&](LoopId self, int number) {
      const std::array<LoopId, 2> others{static_cast<LoopId>((self + 1) % kLoops),
                                         static_cast<LoopId>((self + 2) % kLoops)};
      routing::Bus& bus = cluster.bus(self);
      bus.set_share("$share/g/a", {1, static_cast<std::uint32_t>(number)});
      publish_counted(bus, message("a"), others, outcomes[self * kRounds + static_cast<std::size_t>(number)]);
      bus.sync([&, self, number] {
        if (synced[self].fetch_add(1) != number) out_of_order += 1;
      });
      bus.flush();
      if (self == 0 && number == kRounds / 2) {
        loops[2].post([&] {
          arrived_at_detach = listeners[2].arrived.size();
          cluster.detach(2);
          synced_at_detach = synced[2];
        });
      }
    };
    for (LoopId self = 0; self < kLoops; ++self) {
      for (int number = 0; number < kRounds; ++number) {
        loops[self].post([&round, self, number] { round(self, number); });
      }
    }
    for (ThreadLoop& loop : loops) loop.start();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    const auto all_synced = [&synced] { return synced[0] == kRounds && synced[1] == kRounds; };
    while (!all_synced() && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_TRUE(all_synced());
    for (ThreadLoop& loop : loops) loop.stop();
    EXPECT_GT(arrived_at_detach, static_cast<std::size_t>(kRounds / 2));
    EXPECT_EQ(listeners[2].arrived.size(), arrived_at_detach);
  }
  EXPECT_EQ(out_of_order, 0);
  EXPECT_EQ(synced[2], synced_at_detach);
  for (const Outcome& outcome : outcomes) ASSERT_EQ(outcome.settled, 1);
}

}  // namespace
}  // namespace mooring::cluster
