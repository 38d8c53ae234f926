#include "cluster/local_directory.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "cluster/tests/fake_loops.h"
#include "session/session.h"

namespace mooring::cluster {
namespace {

using session::Claim;
using session::Epoch;
using session::EvictReason;
using session::LoopId;
using session::Session;
using session::SessionKey;
using StatePtr = std::unique_ptr<Session>;

void run_all(FakeLoops& loops, std::uint32_t seed = 1) {
  std::mt19937 random(seed);
  while (loops.run_one(random, [](std::size_t) {})) {
  }
}

// Two loops; evictions are answered with what `states` holds.
class LocalDirectoryTest : public testing::Test {
 protected:
  LocalDirectoryTest() {
    for (LoopId loop = 0; loop < 2; ++loop) {
      directory_.attach_loop(loop, loops_[loop],
                             [this, loop](const SessionKey& key, Epoch epoch, EvictReason reason,
                                          session::SessionDirectory::EvictDone done) {
                               evictions_.push_back({loop, epoch, reason});
                               done(std::exchange(states_[key], nullptr));
                             });
    }
  }
  Claim claim(LoopId loop, const SessionKey& key) {
    std::optional<Claim> answer;
    directory_.claim(loop, key, [&answer](Claim claimed) { answer = std::move(claimed); });
    EXPECT_FALSE(answer.has_value()) << "never inline";
    run_all(loops_);
    EXPECT_TRUE(answer.has_value());
    return answer ? std::move(*answer) : Claim{};
  }
  std::optional<bool> evict(const SessionKey& key, EvictReason reason) {
    std::optional<bool> answer;
    directory_.evict(0, key, reason, [&answer](bool had_owner) { answer = had_owner; });
    run_all(loops_);
    return answer;
  }

  struct Eviction {
    LoopId loop;
    Epoch epoch;
    EvictReason reason;
  };
  FakeLoops loops_{2};
  LocalDirectory directory_{1'700'000'000'000};
  std::map<SessionKey, StatePtr> states_;
  std::vector<Eviction> evictions_;
};

TEST_F(LocalDirectoryTest, AFreshSession) {
  const Claim first = claim(0, "a");
  EXPECT_GE(first.epoch, Epoch{1'700'000'000'000} << 20);
  EXPECT_EQ(first.state, nullptr);
  EXPECT_TRUE(evictions_.empty());
  EXPECT_EQ(directory_.owned_count(), 1U);
}

TEST_F(LocalDirectoryTest, EpochsStartAboveTheStoredOnes) {
  const Epoch stored = Epoch{1'900'000'000'000} << 20;
  LocalDirectory directory(1'700'000'000'000, stored);
  FakeLoops loops(1);
  directory.attach_loop(0, loops[0], [](const auto&, auto, auto, auto done) { done(nullptr); });
  Epoch epoch = 0;
  directory.claim(0, "a", [&](const Claim& claimed) { epoch = claimed.epoch; });
  run_all(loops);
  EXPECT_GT(epoch, stored);
}

TEST_F(LocalDirectoryTest, TakeOverMovesTheState) {
  const Claim first = claim(0, "a");
  states_["a"] = std::make_unique<Session>("a", session::SessionLimits{});
  const Session* address = states_["a"].get();
  const Claim second = claim(1, "a");
  EXPECT_EQ(second.state.get(), address);
  EXPECT_GT(second.epoch, first.epoch);
  EXPECT_EQ(second.state->epoch(), second.epoch);
  ASSERT_EQ(evictions_.size(), 1U);
  EXPECT_EQ(evictions_[0].loop, 0);
  EXPECT_EQ(evictions_[0].epoch, first.epoch);
  EXPECT_EQ(evictions_[0].reason, EvictReason::kTakenOver);
  EXPECT_EQ(directory_.owned_count(), 1U);
}

TEST_F(LocalDirectoryTest, TheSameLoopIsEvictedToo) {
  claim(1, "a");
  states_["a"] = std::make_unique<Session>("a", session::SessionLimits{});
  EXPECT_NE(claim(1, "a").state, nullptr);
  EXPECT_EQ(evictions_.size(), 1U);
}

TEST_F(LocalDirectoryTest, ReleaseUnderAStaleEpochIsIgnored) {
  const Claim first = claim(0, "a");
  const Claim second = claim(1, "a");
  directory_.release(0, "a", first.epoch);
  directory_.release(0, "a", second.epoch);
  run_all(loops_);
  EXPECT_EQ(directory_.owned_count(), 1U);
  directory_.release(1, "a", second.epoch);
  run_all(loops_);
  EXPECT_EQ(directory_.owned_count(), 0U);
  EXPECT_GT(claim(0, "a").epoch, second.epoch) << "epochs grow over a release";
}

TEST_F(LocalDirectoryTest, EvictLeavesNoOwner) {
  EXPECT_EQ(evict("a", EvictReason::kKicked), false);
  claim(1, "a");
  states_["a"] = std::make_unique<Session>("a", session::SessionLimits{});
  EXPECT_EQ(evict("a", EvictReason::kDeleted), true);
  EXPECT_EQ(evictions_.back().reason, EvictReason::kDeleted);
  EXPECT_EQ(directory_.owned_count(), 0U);
  EXPECT_EQ(evict("a", EvictReason::kKicked), false);
  EXPECT_EQ(claim(0, "a").state, nullptr);
}

// Loops with connections that come and go at random, in random turns. Every rule of the port is checked as it happens.
class Simulation {
 public:
  Simulation(std::uint32_t seed, std::size_t loops) : random_(seed), loops_(loops), directory_(1000) {
    for (std::size_t i = 0; i < loops; ++i) {
      const auto loop = static_cast<LoopId>(i);
      directory_.attach_loop(loop, loops_[i],
                             [this, loop](const SessionKey& key, Epoch epoch, EvictReason reason,
                                          session::SessionDirectory::EvictDone done) {
                               on_evict({loop, key, epoch, reason, std::move(done)});
                             });
    }
  }

  void run(int steps) {
    for (int step = 0; step < steps; ++step) {
      switch (random_() % 8) {
        case 0:
          start_claim();
          break;
        case 1:
          if (random_() % 3 == 0) start_evict();
          break;
        case 2:
          if (random_() % 2 == 0) release_one();
          break;
        case 3:
          answer_delayed();
          break;
        default:
          turn();
      }
    }
    while (turn() || answer_delayed()) {
    }
  }

  void expect_settled() {
    EXPECT_EQ(evictions_open_, 0);
    for (const auto& [key, waiting] : waiting_claims_) EXPECT_TRUE(waiting.empty()) << "a claim without an answer";
    for (const auto& [key, state] : in_transit_) EXPECT_EQ(state, nullptr) << "a state got lost";
    EXPECT_EQ(directory_.owned_count(), owners_.size());
    EXPECT_GT(hand_overs_, 0);
  }

 private:
  struct Owner {
    LoopId loop;
    Epoch epoch;
    StatePtr state;
  };
  struct Eviction {
    LoopId loop;
    SessionKey key;
    Epoch epoch;
    EvictReason reason;
    session::SessionDirectory::EvictDone done;
  };

  bool turn() {
    return loops_.run_one(random_, [this](std::size_t loop) { running_ = static_cast<LoopId>(loop); });
  }
  SessionKey any_key() { return "key" + std::to_string(random_() % 4); }
  LoopId any_loop() { return static_cast<LoopId>(random_() % loops_.size()); }

  void start_claim() {
    const SessionKey key = any_key();
    const LoopId loop = any_loop();
    const int number = next_claim_++;
    waiting_claims_[key].push_back(number);
    directory_.claim(loop, key,
                     [this, key, loop, number](Claim claim) { on_claimed(loop, key, number, std::move(claim)); });
  }

  void on_claimed(LoopId loop, const SessionKey& key, int number, Claim claim) {
    ASSERT_EQ(running_, loop) << "completes on the caller's loop";
    ASSERT_EQ(waiting_claims_[key].front(), number) << "granted in the order given, once";
    waiting_claims_[key].pop_front();
    ASSERT_FALSE(owners_.contains(key)) << "two owners";
    ASSERT_GT(claim.epoch, epochs_[key]);
    epochs_[key] = claim.epoch;
    // What the former owner let go for this claim, and nothing else.
    const Session* expected = std::exchange(in_transit_[key], nullptr);
    ASSERT_EQ(claim.state.get(), expected);
    hand_overs_ += expected != nullptr ? 1 : 0;
    if (claim.state == nullptr) claim.state = std::make_unique<Session>(key, session::SessionLimits{});
    owners_[key] = {loop, claim.epoch, std::move(claim.state)};
  }

  void on_evict(Eviction eviction) {
    ASSERT_EQ(running_, eviction.loop) << "asked on the owner's loop";
    if (random_() % 2 == 0) {
      let_go(std::move(eviction));
    } else {
      delayed_.push_back(std::move(eviction));  // the owner has something to finish first
    }
  }

  bool answer_delayed() {
    if (delayed_.empty()) return false;
    Eviction first = std::move(delayed_.front());
    delayed_.pop_front();
    let_go(std::move(first));
    return true;
  }

  void let_go(Eviction eviction) {
    StatePtr state;
    const auto at = owners_.find(eviction.key);
    if (at != owners_.end()) {  // not released in the meantime
      ASSERT_EQ(at->second.loop, eviction.loop);
      ASSERT_EQ(at->second.epoch, eviction.epoch);
      state = std::move(at->second.state);
      owners_.erase(at);
    }
    ASSERT_EQ(in_transit_[eviction.key], nullptr);
    if (eviction.reason == EvictReason::kTakenOver) in_transit_[eviction.key] = state.get();
    eviction.done(std::move(state));
  }

  void start_evict() {
    const SessionKey key = any_key();
    const LoopId loop = any_loop();
    evictions_open_ += 1;
    directory_.evict(loop, key, EvictReason::kKicked, [this, loop](bool) {
      evictions_open_ -= 1;
      EXPECT_EQ(running_, loop);
    });
  }

  void release_one() {
    const SessionKey key = any_key();
    const auto at = owners_.find(key);
    if (at == owners_.end()) return;
    if (random_() % 3 == 0) {
      directory_.release(at->second.loop, key, at->second.epoch - 1);  // stale: changes nothing
      return;
    }
    directory_.release(at->second.loop, key, at->second.epoch);
    owners_.erase(at);
  }

  std::mt19937 random_;
  FakeLoops loops_;
  LocalDirectory directory_;
  LoopId running_ = 0;
  int next_claim_ = 0;
  int evictions_open_ = 0;
  int hand_overs_ = 0;
  std::map<SessionKey, Owner> owners_;
  std::map<SessionKey, Epoch> epochs_;  // newest granted
  std::map<SessionKey, std::deque<int>> waiting_claims_;
  std::map<SessionKey, const Session*> in_transit_;  // let go for a claim that is not answered yet
  std::deque<Eviction> delayed_;
};

TEST(LocalDirectory, HoldsItsRulesInEveryInterleaving) {
  for (std::uint32_t seed = 0; seed < 400; ++seed) {
    Simulation simulation(seed, 1 + seed % 5);
    simulation.run(1500);
    simulation.expect_settled();
    ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace mooring::cluster
