#include "gateway/opening_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace mooring::gateway {
namespace {

using testing::ElementsAre;

// Takes `steps` steps, each of which costs `cost`, and writes down when.
class Opening final : public net::LoopClient {
 public:
  Opening(net::Loop& loop, OpeningLine& line, std::string name, std::vector<std::string>& seen, int steps = 1,
          std::uint32_t cost = OpeningLine::kStepCost)
      : loop_(loop), line_(line), name_(std::move(name)), seen_(seen), steps_(steps), cost_(cost) {}

  void on_ready(std::uint32_t) override { advance(); }
  void on_again() override { advance(); }
  void advance() {
    while (steps_ > 0) {
      if (!line_.may_go_on(*this, has_begun_ ? LinePlace::kBegun : place)) return;
      line_.count(cost_ - OpeningLine::kStepCost);
      has_begun_ = true;
      --steps_;
      seen_.push_back(name_);
      turns.push_back(loop_.turn());
    }
  }
  std::vector<std::uint64_t> turns;
  LinePlace place = LinePlace::kFresh;  // before its first step

 private:
  net::Loop& loop_;
  OpeningLine& line_;
  std::string name_;
  std::vector<std::string>& seen_;
  int steps_;
  std::uint32_t cost_;
  bool has_begun_ = false;
};

class OpeningLineTest : public testing::Test {
 protected:
  OpeningLineTest() : loop_(std::move(*net::Loop::create())), line_(*loop_) {}

  Opening& opening(std::string name, int steps = 1, std::uint32_t cost = OpeningLine::kStepCost) {
    openings_.push_back(std::make_unique<Opening>(*loop_, line_, std::move(name), seen_, steps, cost));
    return *openings_.back();
  }
  // All of them become ready in one turn, in their order; then turns until nobody is left.
  void run() {
    run_with([] {});
  }
  void run_with(std::function<void()> while_they_wait) {
    loop_->post([this, then = std::move(while_they_wait)] {
      for (const auto& each : openings_) each->on_ready(0);
      then();
      loop_->post([this] { end_when_quiet(); });
    });
    loop_->run();
  }
  void end_when_quiet() {
    const std::size_t before = seen_.size();
    if (before == last_seen_) return loop_->stop();
    last_seen_ = before;
    loop_->post([this] { loop_->post([this] { end_when_quiet(); }); });
  }

  std::unique_ptr<net::Loop> loop_;
  OpeningLine line_;
  std::vector<std::string> seen_;
  std::vector<std::unique_ptr<Opening>> openings_;
  std::size_t last_seen_ = SIZE_MAX;
};

TEST_F(OpeningLineTest, AFewGoOnAtOnce) {
  opening("a");
  opening("b", 3);
  run();
  EXPECT_THAT(seen_, ElementsAre("a", "b", "b", "b"));
  EXPECT_EQ(openings_[0]->turns.front(), openings_[1]->turns.back());
}

TEST_F(OpeningLineTest, ATurnHasRoomForSoMuch) {
  constexpr int kMany = 10 * static_cast<int>(OpeningLine::kCostPerTurn);
  for (int i = 0; i < kMany; ++i) opening(std::to_string(i));
  run();
  ASSERT_EQ(seen_.size(), static_cast<std::size_t>(kMany)) << "nobody is forgotten";
  for (int i = 0; i < kMany; ++i) EXPECT_EQ(seen_[static_cast<std::size_t>(i)], std::to_string(i)) << "in their order";
  std::map<std::uint64_t, std::uint32_t> steps;
  for (const auto& each : openings_) ++steps[each->turns.front()];
  for (const auto& [turn, count] : steps) EXPECT_LE(count, OpeningLine::kCostPerTurn) << turn;
}

TEST_F(OpeningLineTest, HandshakesFillATurn) {
  for (int i = 0; i < 6; ++i) opening(std::to_string(i), 1, OpeningLine::kFirstHandshakeStepCost);
  run();
  std::map<std::uint64_t, std::uint32_t> steps;
  for (const auto& each : openings_) ++steps[each->turns.front()];
  EXPECT_EQ(steps.size(), 3U);
  for (const auto& [turn, count] : steps) EXPECT_EQ(count, 2U) << turn;
}

TEST_F(OpeningLineTest, WhoHasBegunGoesFirst) {
  opening("dear", 1, OpeningLine::kCostPerTurn - 1);
  opening("first", 2);  // one step in this turn, then it waits
  opening("late");
  run();
  EXPECT_THAT(seen_, ElementsAre("dear", "first", "first", "late"));
}

TEST_F(OpeningLineTest, WhoeverIsHeldGetsThroughALittle) {
  constexpr int kMany = 2 * static_cast<int>(OpeningLine::kCostPerTurn);
  for (int i = 0; i < kMany; ++i) opening(std::to_string(i));
  line_.hold(true);
  const base::MonoMs begin = loop_->clock().mono_ms();
  loop_->post([this] {
    for (const auto& each : openings_) each->on_ready(0);
  });
  struct Look final : net::Timer {
    std::function<void()> call;
    void on_timer(base::MonoMs) override { call(); }
  } look;
  look.call = [&] {
    if (seen_.size() == static_cast<std::size_t>(kMany)) return loop_->stop();
    loop_->timers().schedule(look, loop_->now_ms() + 1);
  };
  look.call();
  loop_->run();
  EXPECT_GE(loop_->clock().mono_ms() - begin, 2 * OpeningLine::kHeldMs) << "not at once";
}

TEST_F(OpeningLineTest, WhoWasHeldGoesOnAtOnce) {
  opening("a");
  opening("b");
  line_.hold(true);
  run_with([this] {
    EXPECT_TRUE(seen_.empty());
    line_.hold(false);
  });
  EXPECT_THAT(seen_, ElementsAre("a", "b"));
}

TEST_F(OpeningLineTest, WhoEndsTakesTurnsWithWhoBegins) {
  opening("dear", 1, OpeningLine::kCostPerTurn);
  for (const char* name : {"a", "b", "c"}) opening(name);
  for (const char* name : {"end 1", "end 2", "end 3"}) opening(name).place = LinePlace::kEnded;
  run();
  EXPECT_THAT(seen_, ElementsAre("dear", "end 1", "a", "end 2", "b", "end 3", "c"));
}

TEST_F(OpeningLineTest, WhoHasSignedInTakesTurnsWithBoth) {
  opening("dear", 1, OpeningLine::kCostPerTurn);
  for (const char* name : {"begins 1", "begins 2", "begins 3"}) opening(name);
  for (const char* name : {"in 1", "in 2"}) opening(name).place = LinePlace::kSignedIn;
  opening("ends").place = LinePlace::kEnded;
  run();
  EXPECT_THAT(seen_, ElementsAre("dear", "ends", "in 1", "begins 1", "in 2", "begins 2", "begins 3"));
}

TEST_F(OpeningLineTest, WhoHasSignedInIsNotHeld) {
  opening("begins");
  for (const char* name : {"in 1", "in 2"}) opening(name).place = LinePlace::kSignedIn;
  line_.hold(true);
  run_with([this] { EXPECT_TRUE(seen_.empty()) << "somebody stands before them"; });
  EXPECT_THAT(seen_, ElementsAre("in 1", "in 2"));
}

TEST_F(OpeningLineTest, EndsAreNotHeld) {
  opening("begins");
  opening("ends").place = LinePlace::kEnded;
  opening("ends, too").place = LinePlace::kEnded;
  line_.hold(true);
  run_with([this] { EXPECT_TRUE(seen_.empty()) << "somebody stands before them"; });
  EXPECT_THAT(seen_, ElementsAre("ends", "ends, too"));
}

TEST_F(OpeningLineTest, EndsDoNotKeepOutWhoIsHeld) {
  opening("begins");
  for (int i = 0; i < 2 * static_cast<int>(OpeningLine::kCostPerTurn); ++i) {  // there is no end of ends
    opening("ends", 1'000'000, OpeningLine::kFirstHandshakeStepCost).place = LinePlace::kEnded;
  }
  line_.hold(true);
  loop_->post([this] {
    for (const auto& each : openings_) each->on_ready(0);
  });
  const base::MonoMs give_up_at = loop_->clock().mono_ms() + 5'000;
  struct Look final : net::Timer {
    std::function<void()> call;
    void on_timer(base::MonoMs) override { call(); }
  } look;
  look.call = [&] {
    if (!openings_[0]->turns.empty() || loop_->now_ms() > give_up_at) return loop_->stop();
    loop_->timers().schedule(look, loop_->now_ms() + 1);
  };
  look.call();
  loop_->run();
  EXPECT_FALSE(openings_[0]->turns.empty());
}

TEST_F(OpeningLineTest, OneThatEndsGoesOnWhateverTheTurnHasHad) {
  opening("dear", 1, OpeningLine::kCostPerTurn);
  opening("ends").place = LinePlace::kEnded;
  opening("ends, too").place = LinePlace::kEnded;
  run_with([this] {
    EXPECT_TRUE(line_.end_one());
    EXPECT_THAT(seen_, ElementsAre("dear", "ends"));
  });
  EXPECT_FALSE(line_.end_one());
  EXPECT_THAT(seen_, ElementsAre("dear", "ends", "ends, too"));
}

TEST_F(OpeningLineTest, WhoIsDestroyedLeavesTheLine) {
  opening("dear", 1, OpeningLine::kCostPerTurn);
  opening("ends");
  opening("stays");
  run_with([this] { openings_[1].reset(); });
  EXPECT_THAT(seen_, ElementsAre("dear", "stays"));
}

}  // namespace
}  // namespace mooring::gateway
