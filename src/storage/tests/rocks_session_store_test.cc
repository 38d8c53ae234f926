#include "storage/rocks_session_store.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/log.h"
#include "storage/tests/temporary_folder.h"
#include "storage/tests/waiting_executor.h"

namespace mooring::storage {
namespace {

using session::Epoch;
using session::SessionRecord;

SessionRecord record_of(int number) {
  return {"d" + std::to_string(number), {{"/pk/dn/user/" + std::to_string(number), 1}}};
}

std::unique_ptr<RocksSessionStore> open(const TemporaryFolder& folder, Durability durability = Durability::kProcess) {
  auto store = RocksSessionStore::open({.folder = folder.path() / "data" / "sessions", .durability = durability});
  EXPECT_TRUE(store.has_value()) << store.error().message;
  return store ? std::move(*store) : nullptr;
}

TEST(RocksSessionStore, SurvivesAnOrderlyStopInEveryMode) {
  for (const Durability durability : {Durability::kDisk, Durability::kProcess, Durability::kMemory}) {
    const TemporaryFolder folder;
    std::atomic<int> answers = 0;
    WaitingExecutor executor;
    {
      const auto store = open(folder, durability);
      for (int i = 0; i < 2000; ++i) {
        store->save(record_of(i), 100 + static_cast<Epoch>(i), executor,
                    [&](base::Result<> result) { answers += result ? 1 : 0; });
      }
    }
    executor.wait_for_all();
    EXPECT_EQ(answers, 2000) << "every write is answered before the store is gone";
    const auto store = open(folder, durability);
    EXPECT_EQ(store->newest_epoch(), 2099U);
    for (const int i : {0, 1, 1000, 1999}) {
      const auto loaded = load(*store, executor, record_of(i).key);
      ASSERT_TRUE(loaded.has_value() && loaded->has_value()) << i;
      EXPECT_EQ((*loaded)->subscriptions, record_of(i).subscriptions);
    }
    // Stale epochs stay stale over a restart.
    EXPECT_FALSE(save(*store, executor, record_of(1), 100).has_value());
  }
}

TEST(RocksSessionStore, TheFolderIsPrivate) {
  const TemporaryFolder folder;
  const auto store = open(folder);
  EXPECT_EQ(std::filesystem::status(folder.path() / "data" / "sessions").permissions(),
            std::filesystem::perms::owner_all);
}

TEST(RocksSessionStore, OneProcessAtATime) {
  const TemporaryFolder folder;
  const auto store = open(folder);
  const auto second = RocksSessionStore::open({.folder = folder.path() / "data" / "sessions"});
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, base::Errc::kUnavailable);
}

TEST(RocksSessionStore, AnUnusableFolderIsAnError) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "file") << "x";
  const auto store = RocksSessionStore::open({.folder = folder.path() / "file" / "sessions"});
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, base::Errc::kIo);
}

TEST(RocksSessionStore, ADamagedDatabaseIsAnError) {
  const TemporaryFolder folder;
  open(folder).reset();
  std::ofstream(folder.path() / "data" / "sessions" / "CURRENT") << "MANIFEST-nonsense\n";
  const auto store = RocksSessionStore::open({.folder = folder.path() / "data" / "sessions"});
  ASSERT_FALSE(store.has_value());
  EXPECT_TRUE(store.error().code == base::Errc::kCorrupt || store.error().code == base::Errc::kIo);
}

TEST(RocksSessionStore, AFullQueueRefuses) {
  const TemporaryFolder folder;
  std::atomic<int> done = 0;
  std::atomic<int> refused = 0;
  WaitingExecutor executor;
  {
    auto store = RocksSessionStore::open({.folder = folder.path() / "sessions", .max_queued_items = 8});
    ASSERT_TRUE(store.has_value());
    for (int i = 0; i < 1000; ++i) {
      (*store)->save(record_of(i), 1, executor, [&](base::Result<> result) {
        if (result) {
          done += 1;
        } else if (result.error().code == base::Errc::kUnavailable) {
          refused += 1;
        }
      });
    }
    EXPECT_GT((*store)->stats().refused, 0U) << "one fsync takes longer than queueing a thousand writes";
  }
  executor.wait_for_all();
  EXPECT_EQ(done + refused, 1000);
  EXPECT_GE(done, 8);
}

TEST(RocksSessionStore, CommitsInGroups) {
  const TemporaryFolder folder;
  std::promise<void> all;
  std::atomic<int> answers = 0;
  WaitingExecutor executor;
  const auto store = open(folder, Durability::kDisk);
  for (int i = 0; i < 5000; ++i) {
    store->save(record_of(i), 1, executor, [&](base::Result<>) {
      if (++answers == 5000) all.set_value();
    });
  }
  all.get_future().get();
  const auto stats = store->stats();
  EXPECT_EQ(stats.writes, 5000U);
  EXPECT_LT(stats.groups, 1000U);
  EXPECT_EQ(stats.queued, 0U);
}

// A file-size limit stands for a full disk: the log cannot grow.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit lower = before_;
    lower.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &lower);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST(RocksSessionStore, GoesOnAfterAFullDisk) {
  std::signal(SIGXFSZ, SIG_IGN);
  base::set_log_level(base::LogLevel::kOff);  // the failure is wanted
  const TemporaryFolder folder;
  WaitingExecutor executor;
  auto store = open(folder, Durability::kDisk);
  ASSERT_TRUE(save(*store, executor, record_of(1), 1));
  {
    const FileSizeLimit limit(2048);
    SessionRecord big = record_of(2);
    big.subscriptions[0].filter.resize(8000, 'x');
    const auto failed = save(*store, executor, big, 1);
    ASSERT_FALSE(failed.has_value());
    EXPECT_EQ(failed.error().code, base::Errc::kIo);
    EXPECT_FALSE(store->stats().healthy);
    big.key = "d3";
    EXPECT_FALSE(save(*store, executor, big, 1).has_value());
    const auto loaded = load(*store, executor, "d1");
    EXPECT_TRUE(loaded.has_value() && loaded->has_value()) << "reading goes on";
  }
  bool recovered = false;
  for (int i = 0; i < 50 && !recovered; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    recovered = save(*store, executor, record_of(4), 1).has_value();
  }
  EXPECT_TRUE(recovered);
  EXPECT_TRUE(store->stats().healthy);
  store.reset();
  store = open(folder, Durability::kDisk);
  for (const char* key : {"d1", "d4"}) {
    const auto loaded = load(*store, executor, key);
    EXPECT_TRUE(loaded.has_value() && loaded->has_value()) << key;
  }
  base::set_log_level(base::LogLevel::kInfo);
}

// Saves for ever with sixteen writes under way, and tells each completed one through the pipe.
[[noreturn]] void save_and_tell(const std::filesystem::path& folder, Durability durability, int pipe) {
  auto store = RocksSessionStore::open({.folder = folder, .durability = durability});
  if (!store) ::_exit(3);
  WaitingExecutor executor;
  std::atomic<int> open_writes = 0;
  for (int i = 0;; ++i) {
    while (open_writes >= 16) std::this_thread::yield();
    open_writes += 1;
    (*store)->save(record_of(i), 1, executor, [&open_writes, i, pipe](base::Result<> result) {
      if (!result || ::write(pipe, &i, sizeof i) != sizeof i) ::_exit(4);
      open_writes -= 1;
    });
  }
}

// The child is this program again, not a fork that goes on: RocksDB's threads would be missing there. It finds its
// order
// "<durability> <pipe> <folder>" in the environment, before any test begins.
constexpr const char* kOrderVariable = "MOORING_STORAGE_TEST_ORDER";

[[maybe_unused]] const bool kIsParent = [] {
  const char* order = std::getenv(kOrderVariable);
  if (order == nullptr) return true;
  std::istringstream words(order);
  int durability = 0;
  int pipe = 0;
  std::string folder;
  if (!(words >> durability >> pipe >> folder)) ::_exit(5);
  save_and_tell(folder, static_cast<Durability>(durability), pipe);
}();

pid_t start_child(const std::filesystem::path& folder, Durability durability, int pipe) {
  std::ostringstream order;
  order << static_cast<int>(durability) << ' ' << pipe << ' ' << folder.string();
  ::setenv(kOrderVariable, order.str().c_str(), 1);
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl("/proc/self/exe", "storage_test", nullptr);
    ::_exit(6);
  }
  ::unsetenv(kOrderVariable);
  return child;
}

std::vector<int> completed_before_kill(const std::filesystem::path& folder, Durability durability,
                                       std::size_t at_least) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  const pid_t child = start_child(folder, durability, ends[1]);
  EXPECT_GT(child, 0);
  ::close(ends[1]);
  std::vector<int> completed;
  int number = 0;
  while (::read(ends[0], &number, sizeof number) == sizeof number) {
    completed.push_back(number);
    if (completed.size() == at_least) ::kill(child, SIGKILL);
  }
  ::close(ends[0]);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  return completed;
}

TEST(RocksSessionStore, EveryCompletedSaveSurvivesKill9) {
  for (const Durability durability : {Durability::kDisk, Durability::kProcess}) {
    const TemporaryFolder folder;
    for (const std::size_t at_least : {1U, 700U, 3000U}) {
      const std::vector<int> completed = completed_before_kill(folder.path() / "sessions", durability, at_least);
      ASSERT_GE(completed.size(), at_least);
      WaitingExecutor executor;
      auto store = RocksSessionStore::open({.folder = folder.path() / "sessions", .durability = durability});
      ASSERT_TRUE(store.has_value()) << store.error().message;
      for (const int i : completed) {
        const auto loaded = load(**store, executor, record_of(i).key);
        ASSERT_TRUE(loaded.has_value() && loaded->has_value()) << i;
        ASSERT_EQ((*loaded)->subscriptions, record_of(i).subscriptions);
      }
    }
  }
}

}  // namespace
}  // namespace mooring::storage
