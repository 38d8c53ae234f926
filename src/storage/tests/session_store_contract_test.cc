// What every SessionStore must do, run against each implementation.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "storage/memory_session_store.h"
#include "storage/rocks_session_store.h"
#include "storage/tests/temporary_folder.h"
#include "storage/tests/waiting_executor.h"

namespace mooring::storage {
namespace {

using session::SessionKey;
using session::SessionRecord;
using session::SessionStore;

class MemoryMaker {
 public:
  std::unique_ptr<SessionStore> make() { return std::make_unique<MemorySessionStore>(); }
};

template <Durability kDurability>
class RocksMaker {
 public:
  std::unique_ptr<SessionStore> make() {
    auto store = RocksSessionStore::open({.folder = folder_.path() / "sessions", .durability = kDurability});
    EXPECT_TRUE(store.has_value()) << store.error().message;
    return std::move(*store);
  }

 private:
  TemporaryFolder folder_;
};

template <class Maker>
class SessionStoreContract : public testing::Test {
 protected:
  Maker maker_;
  WaitingExecutor executor_;  // outlives the store
  std::unique_ptr<SessionStore> store_ = maker_.make();
};

using Makers = testing::Types<MemoryMaker, RocksMaker<Durability::kDisk>, RocksMaker<Durability::kProcess>,
                              RocksMaker<Durability::kMemory>>;

class MakerNames {
 public:
  template <class Maker>
  static std::string GetName(int index) {
    static const std::array<std::string, 4> kNames{"Memory", "RocksDisk", "RocksProcess", "RocksMemory"};
    return kNames[static_cast<std::size_t>(index)];
  }
};
TYPED_TEST_SUITE(SessionStoreContract, Makers, MakerNames);

const SessionKey kKey("d\0pk\0dn", 7);

SessionRecord record_of(const SessionKey& key, int number) {
  return {key, {{"/pk/dn/user/" + std::to_string(number), 1}, {"/sys/pk/dn/#", 0}}};
}

TYPED_TEST(SessionStoreContract, NothingStoredIsNoError) {
  const auto loaded = load(*this->store_, this->executor_, kKey);
  ASSERT_TRUE(loaded.has_value());
  EXPECT_FALSE(loaded->has_value());
}

TYPED_TEST(SessionStoreContract, KeepsWhatWasSavedLast) {
  ASSERT_TRUE(save(*this->store_, this->executor_, record_of(kKey, 1), 5));
  ASSERT_TRUE(save(*this->store_, this->executor_, record_of(kKey, 2), 5));
  const auto loaded = load(*this->store_, this->executor_, kKey);
  ASSERT_TRUE(loaded.has_value() && loaded->has_value());
  EXPECT_EQ((*loaded)->key, kKey);
  EXPECT_EQ((*loaded)->subscriptions, record_of(kKey, 2).subscriptions);
  const auto other = load(*this->store_, this->executor_, SessionKey("d\0pk\0dn2", 8));
  ASSERT_TRUE(other.has_value());
  EXPECT_FALSE(other->has_value());
}

TYPED_TEST(SessionStoreContract, EraseForgets) {
  ASSERT_TRUE(erase(*this->store_, this->executor_, kKey, 4)) << "erasing nothing is no error";
  ASSERT_TRUE(save(*this->store_, this->executor_, record_of(kKey, 1), 5));
  ASSERT_TRUE(erase(*this->store_, this->executor_, kKey, 5));
  const auto loaded = load(*this->store_, this->executor_, kKey);
  ASSERT_TRUE(loaded.has_value());
  EXPECT_FALSE(loaded->has_value());
}

TYPED_TEST(SessionStoreContract, AStaleEpochIsDropped) {
  ASSERT_TRUE(save(*this->store_, this->executor_, record_of(kKey, 1), 6));
  const auto stale_save = save(*this->store_, this->executor_, record_of(kKey, 2), 5);
  ASSERT_FALSE(stale_save.has_value());
  EXPECT_EQ(stale_save.error().code, base::Errc::kUnavailable);
  EXPECT_FALSE(erase(*this->store_, this->executor_, kKey, 5).has_value());
  auto loaded = load(*this->store_, this->executor_, kKey);
  ASSERT_TRUE(loaded.has_value() && loaded->has_value());
  EXPECT_EQ((*loaded)->subscriptions, record_of(kKey, 1).subscriptions);

  ASSERT_TRUE(erase(*this->store_, this->executor_, kKey, 7));
  EXPECT_FALSE(save(*this->store_, this->executor_, record_of(kKey, 3), 6).has_value())
      << "an erased record must not come back";
  loaded = load(*this->store_, this->executor_, kKey);
  ASSERT_TRUE(loaded.has_value());
  EXPECT_FALSE(loaded->has_value());
  EXPECT_TRUE(save(*this->store_, this->executor_, record_of(kKey, 4), 8).has_value());
}

TYPED_TEST(SessionStoreContract, AnswersOnTheExecutorGiven) {
  std::promise<std::thread::id> answered_on;
  this->store_->save(record_of(kKey, 1), 1, this->executor_,
                     [&](base::Result<>) { answered_on.set_value(std::this_thread::get_id()); });
  EXPECT_EQ(answered_on.get_future().get(), this->executor_.id());
}

// Everything a session was, in order; the last is what it is.
using History = std::vector<std::optional<SessionRecord>>;

bool shows(const base::Result<std::optional<SessionRecord>>& loaded, const History& history, std::size_t at_least) {
  return loaded && std::any_of(history.begin() + static_cast<std::ptrdiff_t>(at_least), history.end(),
                               [&](const std::optional<SessionRecord>& state) {
                                 return loaded->has_value() == state.has_value() &&
                                        (!state || (*loaded)->subscriptions == state->subscriptions);
                               });
}

// Calls made without waiting: a load shows the writes given before it.
TYPED_TEST(SessionStoreContract, CallsOfOneSessionAreAppliedInOrder) {
  std::mt19937 random(11);
  std::map<SessionKey, History> histories;
  std::promise<void> all_done;
  int open = 1;
  int wrong = 0;
  const auto close_one = [&] {  // on the executor
    if (--open == 0) all_done.set_value();
  };
  this->executor_.post([&] {
    for (int step = 0; step < 3000; ++step) {
      const SessionKey key = "d" + std::to_string(random() % 7);
      const auto epoch = static_cast<session::Epoch>(step + 1);
      const auto expect_ok = [&, close_one](const base::Result<>& result) {
        wrong += result ? 0 : 1;
        close_one();
      };
      History& history = histories.try_emplace(key, History{std::nullopt}).first->second;
      open += 1;
      const auto action = random() % 10;
      if (action < 4) {
        history.push_back(record_of(key, step));
        this->store_->save(record_of(key, step), epoch, this->executor_, expect_ok);
      } else if (action < 5) {
        history.push_back(std::nullopt);
        this->store_->erase(key, epoch, this->executor_, expect_ok);
      } else {
        this->store_->load(key, this->executor_, [&, close_one, at_least = history.size() - 1](auto result) {
          wrong += shows(result, history, at_least) ? 0 : 1;
          close_one();
        });
      }
    }
    close_one();
  });
  all_done.get_future().get();
  EXPECT_EQ(wrong, 0);
  for (const auto& [key, history] : histories) {
    EXPECT_TRUE(shows(load(*this->store_, this->executor_, key), history, history.size() - 1)) << key;
  }
}

}  // namespace
}  // namespace mooring::storage
