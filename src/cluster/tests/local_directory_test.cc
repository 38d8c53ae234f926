#include "cluster/local_directory.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace mooring::cluster {
namespace {

using session::EvictReason;
using session::LoopId;
using session::SessionDirectory;
using session::SessionKey;

constexpr base::WallMs kNow = 1'700'000'000'000;

// A place for tasks that the test runs when it likes.
class Tasks final : public base::Executor {
 public:
  void post(base::Task task) override { queue.push_back(std::move(task)); }
  void run() {
    while (!queue.empty()) {
      std::vector<base::Task> now = std::move(queue);
      queue.clear();
      for (base::Task& task : now) task();
    }
  }
  std::vector<base::Task> queue;
};

class LocalDirectoryTest : public testing::Test {
 protected:
  static constexpr LoopId kHomes = 3;

  LocalDirectoryTest() : directory(kNow, 0, kHomes) {
    for (LoopId loop = 0; loop <= kHomes; ++loop) {  // one more than homes: the loop of the administration
      directory.attach_loop(loop, loops[loop],
                            [this, loop](const SessionKey& key, EvictReason reason, SessionDirectory::EvictDone done) {
                              evicted_on[key] = loop;
                              reasons[key] = reason;
                              done(may_forget);
                            });
    }
  }
  void run() {
    for (int i = 0; i < 4; ++i) {
      for (Tasks& loop : loops) loop.run();
    }
  }

  LocalDirectory directory;
  Tasks loops[kHomes + 1];
  std::map<SessionKey, LoopId> evicted_on;
  std::map<SessionKey, EvictReason> reasons;
  bool may_forget = true;
};

TEST_F(LocalDirectoryTest, ClaimsAreGrantedInOrderWithGrowingEpochs) {
  std::vector<session::Epoch> epochs;
  for (int i = 0; i < 3; ++i) {
    directory.claim(1, "key", [&](session::Claim claim) { epochs.push_back(claim.epoch); });
  }
  EXPECT_TRUE(epochs.empty()) << "never inline";
  run();
  ASSERT_EQ(epochs.size(), 3U);
  EXPECT_LT(epochs[0], epochs[1]);
  EXPECT_LT(epochs[1], epochs[2]);
  EXPECT_GT(directory.adopt(1, "key"), epochs[2]);
}

TEST_F(LocalDirectoryTest, EpochsBeginAboveTheClockAndAboveTheStoredOnes) {
  const session::Epoch stored = session::Epoch{1} << 62;
  LocalDirectory later(kNow, stored, 1);
  EXPECT_GT(later.adopt(0, "key"), stored);
  EXPECT_GT(LocalDirectory(kNow + 1, 0, 1).adopt(0, "key"), directory.adopt(0, "key"));
}

TEST_F(LocalDirectoryTest, EvictionReachesTheHomeAndAnswersTheCaller) {
  for (int i = 0; i < 20; ++i) {
    const std::string name = "dev" + std::to_string(i);
    const SessionKey key = session::device_session_key("pk", name, 7);
    int answers = 0;
    directory.evict(kHomes, key, EvictReason::kDeleted, [&](bool forgotten) { answers += forgotten ? 1 : 100; });
    EXPECT_EQ(answers, 0);
    run();
    EXPECT_EQ(answers, 1);
    EXPECT_EQ(evicted_on[key], session::device_home_loop("pk", name, kHomes));
    EXPECT_EQ(reasons[key], EvictReason::kDeleted);
  }
}

TEST_F(LocalDirectoryTest, TellsThatTheStoreRefused) {
  may_forget = false;
  bool answer = true;
  directory.evict(0, session::device_session_key("pk", "dev", 0), EvictReason::kDeleted,
                  [&](bool forgotten) { answer = forgotten; });
  run();
  EXPECT_FALSE(answer);
}

TEST_F(LocalDirectoryTest, LifeAndAccountDoNotChangeTheHome) {
  EXPECT_EQ(session::identity_of(session::device_session_key("pk", "dev", 0)),
            session::identity_of(session::device_session_key("pk", "dev", 0xffffffffU)));
  EXPECT_EQ(session::identity_of(session::account_session_key("back end", 0x01020304U, "client")), "client");
  EXPECT_EQ(session::identity_of(session::account_session_key("back end", 0, "")), "");
}

}  // namespace
}  // namespace mooring::cluster
