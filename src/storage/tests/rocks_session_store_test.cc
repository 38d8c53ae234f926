#include "storage/rocks_session_store.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <string>
#include <vector>

#include "base/log.h"
#include "storage/blob_book.h"
#include "storage/key_codec.h"
#include "storage/record_codec.h"
#include "storage/rocks_database.h"
#include "storage/tests/store_calls.h"
#include "storage/tests/temporary_folder.h"

namespace mooring::storage {
namespace {

using session::Epoch;
using session::SessionRecord;
using session::StoreOperation;
using Sequences = std::vector<std::uint64_t>;

SessionRecord record_of(int number) {
  SessionRecord record;
  record.key = "d" + std::to_string(number);
  record.number = static_cast<session::SessionNumber>(number);
  record.subscriptions = {{"/pk/dn/user/" + std::to_string(number), 1}};
  return record;
}

RocksSessionStoreOptions options_of(const TemporaryFolder& folder, Durability durability = Durability::kProcess) {
  RocksSessionStoreOptions options;
  options.folder = folder.path() / "data" / "sessions";
  options.durability = durability;
  return options;
}

std::unique_ptr<RocksSessionStore> open(const RocksSessionStoreOptions& options) {
  auto store = RocksSessionStore::open(options);
  EXPECT_TRUE(store.has_value()) << store.error().message;
  return store ? std::move(*store) : nullptr;
}

std::unique_ptr<RocksDatabase> open_database(const RocksSessionStoreOptions& options) {
  auto database = RocksDatabase::open(options.folder, LogMode::kSync, *options.clock);
  EXPECT_TRUE(database.has_value()) << database.error().message;
  return database ? std::move(*database) : nullptr;
}

std::size_t keys_in(const RocksDatabase& database, Family family) {
  std::size_t count = 0;
  EXPECT_TRUE(database.scan(family, {{}, {}, true}, [&count](auto, auto) {
    count += 1;
    return true;
  }));
  return count;
}

// Of a store that is closed.
std::size_t keys_in(const RocksSessionStoreOptions& options, Family family) {
  return keys_in(*open_database(options), family);
}

template <class Condition>
bool comes_true(Condition&& condition) {
  for (int i = 0; i < 1000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

TEST(RocksSessionStore, AnswersEveryWriteBeforeItEnds) {
  for (const Durability durability : {Durability::kDisk, Durability::kProcess, Durability::kMemory}) {
    const TemporaryFolder folder;
    std::atomic<int> answers = 0;
    WaitingExecutor executor;
    Listener listener;
    {
      const auto store = open(options_of(folder, durability));
      for (int i = 0; i < 2000; ++i) {
        store->save(record_of(i), 100 + static_cast<Epoch>(i), executor,
                    [&](base::Result<> result) { answers += result ? 1 : 0; });
        store->append(item_of(7, static_cast<std::uint64_t>(i)), executor, listener);
      }
    }
    executor.wait_for_all();
    EXPECT_EQ(answers, 2000);
    EXPECT_EQ(listener.appended().size(), 2000U);
    const auto store = open(options_of(folder, durability));
    EXPECT_EQ(store->newest_epoch(), 2099U);
    EXPECT_EQ(store->newest_number(), 1999U);
    EXPECT_EQ(all_sessions(*store).size(), 2000U);
    EXPECT_EQ(stored_sequences(*store, executor, 7).size(), 2000U);
    EXPECT_FALSE(save(*store, executor, record_of(1), 100).has_value()) << "stale epochs stay stale over a restart";
  }
}

TEST(RocksSessionStore, TheFolderIsPrivate) {
  const TemporaryFolder folder;
  const auto store = open(options_of(folder));
  EXPECT_EQ(std::filesystem::status(options_of(folder).folder).permissions(), std::filesystem::perms::owner_all);
}

TEST(RocksSessionStore, OneProcessAtATime) {
  const TemporaryFolder folder;
  const auto store = open(options_of(folder));
  const auto second = RocksSessionStore::open(options_of(folder));
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, base::Errc::kUnavailable);
}

TEST(RocksSessionStore, AnUnusableFolderIsAnError) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "data") << "x";
  const auto store = RocksSessionStore::open(options_of(folder));
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, base::Errc::kIo);
}

TEST(RocksSessionStore, ADamagedDatabaseIsAnError) {
  const TemporaryFolder folder;
  open(options_of(folder)).reset();
  std::ofstream(options_of(folder).folder / "CURRENT") << "MANIFEST-nonsense\n";
  const auto store = RocksSessionStore::open(options_of(folder));
  ASSERT_FALSE(store.has_value());
  EXPECT_TRUE(store.error().code == base::Errc::kCorrupt || store.error().code == base::Errc::kIo);
}

TEST(RocksSessionStore, ReadsTheOlderFormat) {
  const TemporaryFolder folder;
  {
    const auto database = open_database(options_of(folder));
    RocksDatabase::Batch batch(*database);
    batch.put(Family::kMeta, "format", "1");
    batch.put(Family::kMeta, "epoch", encode_number(9));
    batch.put(Family::kSession, partitioned_key("d1"), std::string("\x01\0\0\0\0\0\0\0\x08\0\0\0\x01\x01\0\x01x", 17));
    batch.put(Family::kSession, partitioned_key("d2"), "damaged");
    ASSERT_TRUE(database->commit(batch, true));
  }
  base::set_log_level(base::LogLevel::kOff);  // the damage is wanted
  WaitingExecutor executor;
  auto store = open(options_of(folder));
  EXPECT_EQ(store->newest_epoch(), 9U);
  auto sessions = all_sessions(*store);
  base::set_log_level(base::LogLevel::kInfo);
  ASSERT_EQ(sessions.size(), 1U) << "a damaged record is left out";
  EXPECT_EQ(sessions["d1"].number, 0U);
  EXPECT_EQ(sessions["d1"].subscriptions, (std::vector<session::SubscriptionRecord>{{"x", 1}}));
  EXPECT_FALSE(save(*store, executor, record_of(1), 7).has_value()) << "its epoch counts";
  EXPECT_TRUE(save(*store, executor, record_of(1), 8).has_value());
  EXPECT_TRUE(erase(*store, executor, "d1", 0, 8).has_value()) << "number 0 has no queue";
}

TEST(RocksSessionStore, AnotherFormatIsRefused) {
  const TemporaryFolder folder;
  {
    const auto database = open_database(options_of(folder));
    RocksDatabase::Batch batch(*database);
    batch.put(Family::kMeta, "format", "3");
    ASSERT_TRUE(database->commit(batch, true));
  }
  const auto store = RocksSessionStore::open(options_of(folder));
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, base::Errc::kCorrupt);
}

TEST(RocksSessionStore, AFullQueueRefuses) {
  const TemporaryFolder folder;
  std::atomic<int> done = 0;
  std::atomic<int> refused = 0;
  WaitingExecutor executor;
  Listener listener;
  {
    auto options = options_of(folder, Durability::kDisk);
    options.max_queued_items = 8;
    const auto store = open(options);
    for (int i = 0; i < 1000; ++i) {
      store->save(record_of(i), 1, executor, [&](base::Result<> result) {
        if (result) {
          done += 1;
        } else if (result.error().code == base::Errc::kUnavailable) {
          refused += 1;
        }
      });
      store->append(item_of(1, static_cast<std::uint64_t>(i)), executor, listener);
    }
    EXPECT_GT(store->stats().refused, 0U) << "one fsync takes longer than queueing a thousand writes";
  }
  executor.wait_for_all();
  EXPECT_EQ(done + refused, 1000);
  EXPECT_GE(done, 4);
  EXPECT_EQ(listener.appended().size() + listener.failed().size(), 1000U);
  EXPECT_EQ(listener.error().code, base::Errc::kUnavailable);
}

TEST(RocksSessionStore, ALargeMessageForManySessionsCountsOnceAgainstTheQueue) {
  const TemporaryFolder folder;
  WaitingExecutor executor;
  Listener listener;
  auto options = options_of(folder);
  options.max_queued_bytes = 4U << 20;
  const auto store = open(options);
  const auto message = message_of("t", std::string(1U << 20, 'x'));
  for (std::uint64_t number = 1; number <= 100; ++number)
    store->append(item_of(number, 1, message), executor, listener);
  listener.wait_for(100);
  EXPECT_EQ(listener.appended().size(), 100U);
}

TEST(RocksSessionStore, CommitsInGroups) {
  const TemporaryFolder folder;
  WaitingExecutor executor;
  Listener listener;
  const auto store = open(options_of(folder, Durability::kDisk));
  for (std::uint64_t i = 0; i < 5000; ++i) store->append(item_of(i % 50, i), executor, listener);
  listener.wait_for(5000);
  const auto stats = store->stats();
  EXPECT_EQ(stats.appended, 5000U);
  EXPECT_LT(stats.syncs, 500U);
  EXPECT_EQ(stats.syncs, stats.groups);
  EXPECT_EQ(stats.queued, 0U);
  EXPECT_LT(listener.calls(), 500U) << "one call for each group";
}

TEST(RocksSessionStore, AppendsWaitForOthersUnlessSomebodyIsInAHurry) {
  const TemporaryFolder folder;
  WaitingExecutor executor;
  Listener listener;
  auto options = options_of(folder, Durability::kDisk);
  options.commit_window_us = 400'000;
  const auto store = open(options);
  const auto begin = std::chrono::steady_clock::now();
  const auto passed = [begin] { return std::chrono::steady_clock::now() - begin; };
  store->append(item_of(1, 1), executor, listener);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  store->append(item_of(1, 2), executor, listener);
  listener.wait_for(2);
  EXPECT_GE(passed(), std::chrono::milliseconds(399)) << "counted from the first";
  EXPECT_EQ(store->stats().syncs, 1U);
  for (int round = 0; round < 3; ++round) {
    store->append(item_of(1, 3 + static_cast<std::uint64_t>(round)), executor, listener);
    ASSERT_TRUE(write(*store, executor, {{StoreOperation::Kind::kPutReceived, 1, 1, nullptr}}));
  }
  EXPECT_LT(passed(), std::chrono::milliseconds(1200)) << "three windows would not fit";
  EXPECT_EQ(store->stats().syncs, 4U) << "each append goes with the write behind it";
}

TEST(RocksSessionStore, RemovalsNeedNoFsync) {
  const TemporaryFolder folder;
  WaitingExecutor executor;
  Listener listener;
  const auto store = open(options_of(folder, Durability::kDisk));
  for (std::uint64_t i = 1; i <= 100; ++i) store->append(item_of(1, i), executor, listener);
  listener.wait_for(100);
  const auto before = store->stats();
  for (std::uint64_t i = 1; i <= 100; ++i) store->remove(1, i);
  EXPECT_TRUE(comes_true([&] { return store->stats().groups > before.groups; })) << "without anything else to do";
  EXPECT_EQ(stored_sequences(*store, executor, 1), Sequences());
  EXPECT_EQ(store->stats().syncs, before.syncs);
}

TEST(RocksSessionStore, WhatIsWithdrawnOrRemovedInTimeIsNotWritten) {
  const TemporaryFolder folder;
  WaitingExecutor executor;
  Listener listener;
  auto options = options_of(folder, Durability::kDisk);
  options.commit_window_us = 200'000;
  const auto store = open(options);
  std::vector<session::QueueItemRef> items;
  for (std::uint64_t i = 1; i <= 20; ++i) {
    items.push_back(item_of(1, i));
    store->append(items.back(), executor, listener);
  }
  for (std::size_t i = 0; i < 10; ++i) EXPECT_TRUE(items[i]->withdraw());
  for (std::uint64_t i = 11; i <= 20; ++i) store->remove(1, i);
  listener.wait_for(10);
  EXPECT_EQ(stored_sequences(*store, executor, 1), Sequences());
  EXPECT_EQ(store->stats().appended, 0U);
  EXPECT_EQ(store->stats().withdrawn, 20U);
}

TEST(RocksSessionStore, ASharedMessageIsStoredOnceAndGoesWithItsLastItem) {
  const TemporaryFolder folder;
  const auto options = options_of(folder);
  WaitingExecutor executor;
  Listener listener;
  const auto message = message_of("t", std::string(2000, 'x'));
  const auto small = message_of("t", std::string(BlobBook::kMinPayloadBytes, 'x'));
  {
    const auto store = open(options);
    std::vector<StoreOperation> appends;
    for (std::uint64_t number = 1; number <= 10; ++number) {
      appends.push_back({StoreOperation::Kind::kAppend, 0, 0, item_of(number, 1, message)});
      appends.push_back({StoreOperation::Kind::kAppend, 0, 0, item_of(number, 2, small)});
    }
    ASSERT_TRUE(write(*store, executor, std::move(appends)));
    EXPECT_EQ(store->stats().blobs, 1U);
    store->append(item_of(11, 1, message), executor, listener);  // a later group joins in
    listener.wait_for(1);
    // Three sessions are too few for a blob.
    const auto other = message_of("t", std::string(2000, 'y'));
    std::vector<StoreOperation> few;
    for (std::uint64_t number = 1; number <= 3; ++number) {
      few.push_back({StoreOperation::Kind::kAppend, 0, 0, item_of(number, 3, other)});
    }
    ASSERT_TRUE(write(*store, executor, std::move(few)));
    EXPECT_EQ(store->stats().blobs, 1U);
  }
  EXPECT_EQ(keys_in(options, Family::kBlob), 2U) << "a count and a message";
  EXPECT_EQ(keys_in(options, Family::kQueue), 24U);
  {
    const auto store = open(options);
    EXPECT_EQ(store->stats().blobs, 0U);
    for (std::uint64_t number = 1; number <= 8; ++number) store->remove(number, 1);
    store->remove(8, 1);  // twice counts once
    ASSERT_TRUE(write(*store, executor, {{StoreOperation::Kind::kRelease, 9, 1, nullptr}}));
    ASSERT_TRUE(write(*store, executor, {{StoreOperation::Kind::kRemove, 9, 1, nullptr}}));
    EXPECT_EQ(stored_sequences(*store, executor, 10), (Sequences{1, 2}));
    EXPECT_EQ(base::as_text(read(*store, executor, 11)->messages.at(0).message->payload()), std::string(2000, 'x'));
  }
  EXPECT_EQ(keys_in(options, Family::kBlob), 2U) << "two still refer to it";
  {
    const auto store = open(options);
    store->drop_queue(10);
    store->remove(11, 1);
    EXPECT_EQ(stored_sequences(*store, executor, 11), Sequences());
    const auto& stats = *store;
    EXPECT_TRUE(comes_true([&] { return stats.stats().queued == 0; }));
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  EXPECT_EQ(keys_in(options, Family::kBlob), 0U);
}

// Counts of a blob whose items come and go within one group.
TEST(RocksSessionStore, AMessageAppendedAndDoneWithInOneGroupLeavesNothing) {
  const TemporaryFolder folder;
  const auto options = options_of(folder);
  WaitingExecutor executor;
  const auto message = message_of("t", std::string(2000, 'x'));
  {
    const auto store = open(options);
    std::vector<StoreOperation> operations;
    for (std::uint64_t number = 1; number <= 6; ++number) {
      operations.push_back({StoreOperation::Kind::kAppend, 0, 0, item_of(number, 1, message)});
    }
    for (std::uint64_t number = 1; number <= 6; ++number) {
      const auto kind = number % 2 == 0 ? StoreOperation::Kind::kRemove : StoreOperation::Kind::kRelease;
      operations.push_back({kind, number, 1, nullptr});
    }
    ASSERT_TRUE(write(*store, executor, std::move(operations)));
  }
  EXPECT_EQ(keys_in(options, Family::kBlob), 0U);
  EXPECT_EQ(keys_in(options, Family::kQueue), 3U) << "the released ones";
}

TEST(RocksSessionStore, DroppingGoesOnAfterARestart) {
  const TemporaryFolder folder;
  const auto options = options_of(folder);
  WaitingExecutor executor;
  const auto message = message_of("t", std::string(1000, 'x'));
  {
    const auto store = open(options);
    for (std::uint64_t sequence = 1; sequence <= 400; ++sequence) {
      std::vector<StoreOperation> operations;
      for (std::uint64_t number = 1; number <= 5; ++number) {
        operations.push_back({StoreOperation::Kind::kAppend, 0, 0,
                              item_of(number, sequence, sequence % 4 == 0 ? message : message_of("u", "small"))});
      }
      operations.push_back({StoreOperation::Kind::kPutReceived, 1, sequence, nullptr});
      ASSERT_TRUE(write(*store, executor, std::move(operations)));
    }
  }
  {
    // As if it had ended between the promise and the work.
    const auto database = open_database(options);
    RocksDatabase::Batch batch(*database);
    for (std::uint64_t number = 1; number <= 4; ++number) batch.put(Family::kMeta, drop_key(number), {});
    ASSERT_TRUE(database->commit(batch, true));
  }
  {
    const auto store = open(options);
    for (std::uint64_t number = 1; number <= 4; ++number) {
      EXPECT_EQ(stored_sequences(*store, executor, number), Sequences()) << "at once";
    }
    EXPECT_TRUE(comes_true([&] { return all_received(*store).empty(); }));
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    EXPECT_EQ(stored_sequences(*store, executor, 5).size(), 400U);
  }
  EXPECT_EQ(keys_in(options, Family::kQueue), 400U);
  EXPECT_EQ(keys_in(options, Family::kReceived), 0U);
  EXPECT_EQ(keys_in(options, Family::kBlob), 2U) << "the fifth session still needs it";
}

TEST(RocksSessionStore, ExpiredMessagesLeaveTheDisk) {
  const TemporaryFolder folder;
  ManualClock clock;
  auto options = options_of(folder);
  options.clock = &clock;
  WaitingExecutor executor;
  {
    const auto store = open(options);
    const base::WallMs soon_ms = clock.wall_ms() + 1000;
    const auto large = message_of("t", std::string(1000, 'x'), soon_ms);
    std::vector<StoreOperation> operations;
    for (std::uint64_t number = 1; number <= 5; ++number) {
      operations.push_back({StoreOperation::Kind::kAppend, 0, 0, item_of(number, 1, large)});
      operations.push_back({StoreOperation::Kind::kAppend, 0, 0, item_of(number, 2, message_of("t", "x", soon_ms))});
      operations.push_back({StoreOperation::Kind::kAppend, 0, 0, item_of(number, 3)});
    }
    ASSERT_TRUE(write(*store, executor, std::move(operations)));
    EXPECT_EQ(store->stats().blobs, 1U);
  }
  clock.advance(100'000);
  {
    const auto database = open_database(options);
    EXPECT_EQ(keys_in(*database, Family::kQueue), 15U);
    database->compact_queues();
    EXPECT_EQ(keys_in(*database, Family::kQueue), 5U) << "without anybody reading them";
    EXPECT_EQ(keys_in(*database, Family::kBlob), 0U);
  }
  const auto store = open(options);
  EXPECT_EQ(stored_sequences(*store, executor, 1), Sequences{3});
  store->remove(1, 1);  // its blob is gone: no harm
  EXPECT_EQ(stored_sequences(*store, executor, 1), Sequences{3});
}

TEST(RocksSessionStore, ExpiredMessagesAreRemovedWhenRead) {
  const TemporaryFolder folder;
  ManualClock clock;
  auto options = options_of(folder);
  options.clock = &clock;
  WaitingExecutor executor;
  {
    const auto store = open(options);
    for (std::uint64_t sequence = 1; sequence <= 6; ++sequence) {
      const base::WallMs expires_at_ms = sequence % 2 == 0 ? 0 : clock.wall_ms() + 1000;
      const auto item = item_of(sequence <= 3 ? 1 : 2, sequence, message_of("t", "x", expires_at_ms));
      ASSERT_TRUE(write(*store, executor, {{StoreOperation::Kind::kAppend, 0, 0, item}}));
    }
    clock.advance(2000);
    EXPECT_EQ(stored_sequences(*store, executor, 1), Sequences{2});
    EXPECT_EQ(measure(*store, executor, 2)->messages, 2U);
    EXPECT_EQ(stored_sequences(*store, executor, 1), Sequences{2});  // behind the removals
    EXPECT_EQ(stored_sequences(*store, executor, 2), (Sequences{4, 6}));
  }
  EXPECT_EQ(keys_in(options, Family::kQueue), 3U);
}

TEST(RocksSessionStore, AlmostFullRefusesOnlyWhatIsStoredAnew) {
  const TemporaryFolder folder;
  WaitingExecutor executor;
  Listener listener;
  base::set_log_level(base::LogLevel::kOff);  // the refusal is wanted
  auto options = options_of(folder);
  options.min_free_bytes = ~std::uint64_t{0};
  const auto store = open(options);
  store->append(item_of(1, 1), executor, listener);
  listener.wait_for(1);
  EXPECT_EQ(listener.failed(), Sequences{1});
  EXPECT_EQ(listener.error().code, base::Errc::kIo);
  EXPECT_NE(listener.error().message.find("disk is almost full"), std::string::npos) << listener.error().message;
  const auto refused = write(
      *store, executor,
      {{StoreOperation::Kind::kPutReceived, 1, 3, nullptr}, {StoreOperation::Kind::kAppend, 0, 0, item_of(1, 2)}});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, base::Errc::kIo);
  EXPECT_TRUE(all_received(*store).empty()) << "nothing of it";
  EXPECT_FALSE(save_retained(*store, executor, message_of("t", "x")).has_value());
  EXPECT_TRUE(save_retained(*store, executor, message_of("t", ""), true).has_value());
  EXPECT_TRUE(save(*store, executor, record_of(1), 1).has_value());
  EXPECT_TRUE(write(*store, executor, {{StoreOperation::Kind::kRelease, 1, 9, nullptr}}).has_value());
  EXPECT_EQ(stored_sequences(*store, executor, 1), Sequences{9});
  EXPECT_TRUE(store->stats().healthy);
  base::set_log_level(base::LogLevel::kInfo);
}

TEST(RocksSessionStore, QueuesHaveABoundInAll) {
  const TemporaryFolder folder;
  WaitingExecutor executor;
  Listener listener;
  base::set_log_level(base::LogLevel::kOff);  // the refusal is wanted
  auto options = options_of(folder);
  options.max_total_bytes = 4U << 20;
  const auto store = open(options);
  std::uint64_t sequence = 0;
  const auto append_some = [&] {
    for (int i = 0; i < 50; ++i) {
      std::string payload(20'000, 'x');
      for (char& c : payload) c = static_cast<char>(sequence++ * 31 % 251);
      store->append(item_of(1, sequence, message_of("t", payload)), executor, listener);
    }
    return store->stats().queued < 1 && !listener.failed().empty();
  };
  ASSERT_TRUE(comes_true(append_some)) << "it is noticed within about a second";
  EXPECT_EQ(listener.error().code, base::Errc::kUnavailable);
  store->drop_queue(1);
  EXPECT_TRUE(comes_true([&] {
    const auto before = listener.appended().size() + listener.failed().size();
    store->append(item_of(2, ++sequence), executor, listener);
    listener.wait_for(before + 1);
    return listener.appended().back() == sequence;
  })) << "room is made";
  base::set_log_level(base::LogLevel::kInfo);
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
  Listener listener;
  const auto options = options_of(folder, Durability::kDisk);
  auto store = open(options);
  ASSERT_TRUE(save(*store, executor, record_of(1), 1));
  for (std::uint64_t sequence = 1; sequence <= 3; ++sequence) store->append(item_of(1, sequence), executor, listener);
  listener.wait_for(3);
  {
    const FileSizeLimit limit(2048);
    SessionRecord big = record_of(2);
    big.subscriptions[0].filter.resize(8000, 'x');
    const auto failed = save(*store, executor, big, 1);
    ASSERT_FALSE(failed.has_value());
    EXPECT_EQ(failed.error().code, base::Errc::kIo);
    EXPECT_FALSE(store->stats().healthy);
    const auto withdrawn = item_of(1, 5);
    ASSERT_TRUE(withdrawn->withdraw());
    store->append(item_of(1, 4, message_of("t", std::string(8000, 'x'))), executor, listener);
    store->append(withdrawn, executor, listener);
    listener.wait_for(4);
    EXPECT_EQ(listener.failed(), Sequences{4});
    EXPECT_EQ(listener.error().code, base::Errc::kIo);
    store->remove(1, 1);
    const auto page = read(*store, executor, 1);
    EXPECT_TRUE(page.has_value()) << "reading goes on";
  }
  EXPECT_TRUE(comes_true([&] { return save(*store, executor, record_of(4), 1).has_value(); }));
  EXPECT_TRUE(store->stats().healthy);
  EXPECT_EQ(stored_sequences(*store, executor, 1), (Sequences{2, 3})) << "the removal was tried again";
  store.reset();
  store = open(options);
  EXPECT_EQ(all_sessions(*store).size(), 2U);
  EXPECT_EQ(stored_sequences(*store, executor, 1), (Sequences{2, 3}));
  base::set_log_level(base::LogLevel::kInfo);
}

}  // namespace
}  // namespace mooring::storage
