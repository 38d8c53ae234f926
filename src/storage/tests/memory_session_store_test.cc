// What MemorySessionStore can beyond the contract: failing writes and power loss.
#include "storage/memory_session_store.h"

#include <gtest/gtest.h>

#include <deque>

#include "storage/tests/store_calls.h"

namespace mooring::storage {
namespace {

using session::StoreOperation;
using Sequences = std::vector<std::uint64_t>;

// Runs tasks when told to, as a simulation does.
class SteppedExecutor final : public base::Executor {
 public:
  void post(base::Task task) override { tasks_.push_back(std::move(task)); }
  void run_all() {
    while (!tasks_.empty()) {
      base::Task task = std::move(tasks_.front());
      tasks_.pop_front();
      task();
    }
  }
  bool idle() const { return tasks_.empty(); }

 private:
  std::deque<base::Task> tasks_;
};

class MemorySessionStoreTest : public testing::Test {
 protected:
  static MemorySessionStoreOptions manual() {
    MemorySessionStoreOptions options;
    options.manual_commits = true;
    return options;
  }
  void append(std::uint64_t sequence) { store_.append(item_of(1, sequence), executor_, listener_); }
  Sequences stored() {
    Sequences found;
    store_.read(1, 0, 1000, 1U << 20, executor_, [&found](auto page) { found = sequences_of(page); });
    store_.commit();
    executor_.run_all();
    return found;
  }

  SteppedExecutor executor_;
  Listener listener_;
  MemorySessionStore store_{manual()};
};

TEST_F(MemorySessionStoreTest, NothingHappensBeforeTheCommit) {
  const auto item = item_of(1, 2);
  append(1);
  store_.append(item, executor_, listener_);
  executor_.run_all();
  EXPECT_EQ(store_.waiting(), 2U);
  EXPECT_TRUE(listener_.appended().empty());
  EXPECT_TRUE(item->withdraw());
  EXPECT_TRUE(store_.commit());
  EXPECT_FALSE(store_.commit());
  executor_.run_all();
  EXPECT_EQ(listener_.appended(), Sequences{1});
  EXPECT_EQ(store_.queued_messages(), 1U);
}

TEST_F(MemorySessionStoreTest, WithoutManualCommitsTheExecutorCommits) {
  MemorySessionStore store;
  store.append(item_of(1, 1), executor_, listener_);
  store.append(item_of(1, 2), executor_, listener_);
  executor_.run_all();
  EXPECT_EQ(listener_.appended(), (Sequences{1, 2}));
  EXPECT_EQ(listener_.calls(), 1U) << "one call for both";
}

TEST_F(MemorySessionStoreTest, ACrashForgetsWhatWasNotAnswered) {
  append(1);
  store_.commit();
  executor_.run_all();
  append(2);  // committed, but the reply is under way
  store_.commit();
  append(3);  // waits
  store_.crash();
  executor_.run_all();
  EXPECT_EQ(listener_.appended(), Sequences{1}) << "no reply comes from before the crash";
  EXPECT_EQ(store_.waiting(), 0U);
  EXPECT_EQ(stored(), Sequences{1});
  append(4);
  store_.commit();
  executor_.run_all();
  EXPECT_EQ(listener_.appended(), (Sequences{1, 4}));
  EXPECT_EQ(stored(), (Sequences{1, 4}));
}

TEST_F(MemorySessionStoreTest, ACrashKeepsAWriteWholeOrNotAtAll) {
  bool answered = false;
  const auto write_two = [&](std::uint64_t first) {
    store_.write({{StoreOperation::Kind::kAppend, 0, 0, item_of(1, first)},
                  {StoreOperation::Kind::kPutReceived, 1, first, nullptr}},
                 executor_, [&answered](base::Result<> result) { answered = result.has_value(); });
    store_.commit();
  };
  write_two(1);
  store_.crash();
  executor_.run_all();
  EXPECT_FALSE(answered);
  EXPECT_TRUE(stored().empty());
  EXPECT_TRUE(all_received(store_).empty());
  write_two(2);
  executor_.run_all();
  EXPECT_TRUE(answered);
  store_.crash();
  EXPECT_EQ(stored(), Sequences{2});
  EXPECT_EQ(all_received(store_).size(), 1U);
}

TEST_F(MemorySessionStoreTest, ACrashMayBringBackWhatWasRemovedLazily) {
  append(1);
  append(2);
  store_.commit();
  executor_.run_all();
  store_.remove(1, 1);
  store_.crash();
  EXPECT_EQ(stored(), (Sequences{1, 2}));
  store_.remove(1, 1);
  EXPECT_EQ(stored(), Sequences{2}) << "with the group of the read, which is answered";
  store_.crash();
  EXPECT_EQ(stored(), Sequences{2});
}

TEST_F(MemorySessionStoreTest, WritesCanBeMadeToFail) {
  append(1);
  store_.commit();
  executor_.run_all();
  store_.fail_writes(true);
  append(2);
  std::vector<base::Result<>> results;
  const auto note = [&results](base::Result<> result) { results.push_back(std::move(result)); };
  session::SessionRecord record;
  record.key = "k";
  store_.save(record, 1, executor_, note);
  store_.write({{StoreOperation::Kind::kRelease, 1, 1, nullptr}}, executor_, note);
  store_.save_retained(message_of("t", "x"), false, executor_, note);
  store_.commit();
  executor_.run_all();
  ASSERT_EQ(results.size(), 3U);
  for (const auto& result : results) {
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, base::Errc::kIo);
  }
  EXPECT_EQ(listener_.failed(), Sequences{2});
  EXPECT_EQ(listener_.error().code, base::Errc::kIo);
  EXPECT_EQ(stored(), Sequences{1}) << "reads go on";
  EXPECT_EQ(store_.size(), 0U);
  store_.fail_writes(false);
  append(3);
  EXPECT_EQ(stored(), (Sequences{1, 3}));
}

TEST_F(MemorySessionStoreTest, RemembersTheNewestEpochAndNumber) {
  session::SessionRecord record;
  record.key = "k";
  record.number = 9;
  store_.save(record, 12, executor_, [](auto) {});
  store_.commit();
  executor_.run_all();
  EXPECT_EQ(store_.newest_epoch(), 12U);
  EXPECT_EQ(store_.newest_number(), 9U);
  EXPECT_EQ(store_.size(), 1U);
}

TEST_F(MemorySessionStoreTest, RepliesMayComeAfterItsEnd) {
  auto store = std::make_unique<MemorySessionStore>();
  store->append(item_of(1, 1), executor_, listener_);
  store.reset();
  executor_.run_all();
  EXPECT_EQ(listener_.appended(), Sequences{1});
}

}  // namespace
}  // namespace mooring::storage
