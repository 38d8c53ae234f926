// What every SessionStore must do, run against each implementation.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "storage/memory_session_store.h"
#include "storage/rocks_session_store.h"
#include "storage/tests/store_calls.h"
#include "storage/tests/temporary_folder.h"

namespace mooring::storage {
namespace {

using session::SessionKey;
using session::SessionNumber;
using session::SessionRecord;
using session::SessionStore;
using session::StoreOperation;
using Kind = session::StoreOperation::Kind;

class MemoryMaker {
 public:
  explicit MemoryMaker(const base::Clock& clock) : store_(std::make_unique<MemorySessionStore>(options(clock))) {}
  SessionStore& store() { return *store_; }
  void restart() {}  // an orderly stop changes nothing

 private:
  static MemorySessionStoreOptions options(const base::Clock& clock) {
    MemorySessionStoreOptions options;
    options.clock = &clock;
    return options;
  }
  std::unique_ptr<MemorySessionStore> store_;
};

template <Durability kDurability>
class RocksMaker {
 public:
  explicit RocksMaker(const base::Clock& clock) : clock_(clock) { restart(); }
  SessionStore& store() { return *store_; }
  void restart() {
    store_.reset();
    RocksSessionStoreOptions options;
    options.folder = folder_.path() / "sessions";
    options.durability = kDurability;
    options.clock = &clock_;
    auto store = RocksSessionStore::open(options);
    ASSERT_TRUE(store.has_value()) << store.error().message;
    store_ = std::move(*store);
  }

 private:
  const base::Clock& clock_;
  TemporaryFolder folder_;
  std::unique_ptr<RocksSessionStore> store_;
};

template <class Maker>
class SessionStoreContract : public testing::Test {
 protected:
  SessionStore& store() { return maker_.store(); }
  void append(SessionNumber number, std::uint64_t sequence) { append(item_of(number, sequence)); }
  void append(session::QueueItemRef item) { store().append(std::move(item), executor_, listener_); }
  base::Result<> write(std::vector<StoreOperation> operations) {
    return storage::write(store(), executor_, std::move(operations));
  }
  std::vector<std::uint64_t> stored(SessionNumber number) { return stored_sequences(store(), executor_, number); }

  ManualClock clock_;
  Listener listener_;         // outlives the executor, which calls it
  WaitingExecutor executor_;  // outlives the store
  Maker maker_{clock_};
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

using Sequences = std::vector<std::uint64_t>;
const SessionKey kKey("d\0pk\0dn", 7);

SessionRecord record_of(const SessionKey& key, int number) {
  SessionRecord record;
  record.key = key;
  record.number = static_cast<SessionNumber>(number);
  record.subscriptions = {{"/pk/dn/user/" + std::to_string(number), 1, true, false, 7}, {"/sys/pk/dn/#", 0}};
  record.expiry_s = 3600;
  record.offline_since_ms = 1'700'000'000'001;
  record.keeps_messages = false;
  record.will = session::WillRecord{"gone", {1, 2, 3}, {4}, 2, true, 5, 6};
  return record;
}

void expect_same(const SessionRecord& left, const SessionRecord& right) {
  EXPECT_EQ(left.key, right.key);
  EXPECT_EQ(left.number, right.number);
  EXPECT_EQ(left.subscriptions, right.subscriptions);
  EXPECT_EQ(left.expiry_s, right.expiry_s);
  EXPECT_EQ(left.offline_since_ms, right.offline_since_ms);
  EXPECT_EQ(left.keeps_messages, right.keeps_messages);
  EXPECT_EQ(left.will, right.will);
}

StoreOperation append_of(session::QueueItemRef item) {
  return {Kind::kAppend, 0, 0, std::move(item)};
}

TYPED_TEST(SessionStoreContract, AnEmptyStoreIsNoError) {
  EXPECT_TRUE(all_sessions(this->store()).empty());
  EXPECT_TRUE(all_received(this->store()).empty());
  EXPECT_TRUE(all_retained(this->store()).empty());
  const auto page = read(this->store(), this->executor_, 1);
  ASSERT_TRUE(page.has_value());
  EXPECT_TRUE(page->messages.empty());
  EXPECT_TRUE(page->at_end);
  const auto size = measure(this->store(), this->executor_, 1);
  ASSERT_TRUE(size.has_value());
  EXPECT_EQ(size->messages, 0U);
}

TYPED_TEST(SessionStoreContract, KeepsTheRecordSavedLast) {
  ASSERT_TRUE(save(this->store(), this->executor_, record_of(kKey, 1), 5));
  ASSERT_TRUE(save(this->store(), this->executor_, record_of(kKey, 2), 5));
  ASSERT_TRUE(save(this->store(), this->executor_, record_of("other", 3), 6));
  this->maker_.restart();
  std::map<SessionKey, session::Epoch> epochs;
  ASSERT_TRUE(this->store().for_each_session([&](SessionRecord&& record, session::Epoch epoch) {
    EXPECT_TRUE(epochs.emplace(record.key, epoch).second) << "each once";
    expect_same(record, record.key == kKey ? record_of(kKey, 2) : record_of("other", 3));
  }));
  EXPECT_EQ(epochs, (std::map<SessionKey, session::Epoch>{{kKey, 5}, {"other", 6}}));
}

TYPED_TEST(SessionStoreContract, EraseForgetsTheRecordAndAllOfItsNumber) {
  ASSERT_TRUE(erase(this->store(), this->executor_, kKey, 1, 4)) << "erasing nothing is no error";
  ASSERT_TRUE(save(this->store(), this->executor_, record_of(kKey, 2), 5));
  this->append(2, 1);
  this->append(3, 1);
  ASSERT_TRUE(this->write({{Kind::kPutReceived, 2, 11, nullptr}, {Kind::kPutReceived, 3, 12, nullptr}}));
  ASSERT_TRUE(erase(this->store(), this->executor_, kKey, 2, 5));
  EXPECT_EQ(this->stored(2), Sequences());
  EXPECT_EQ(this->stored(3), Sequences{1}) << "another session";
  this->maker_.restart();
  EXPECT_TRUE(all_sessions(this->store()).empty());
  EXPECT_EQ(this->stored(2), Sequences());
  EXPECT_EQ(this->stored(3), Sequences{1});
}

TYPED_TEST(SessionStoreContract, AStaleEpochIsDropped) {
  ASSERT_TRUE(save(this->store(), this->executor_, record_of(kKey, 1), 6));
  this->append(1, 1);
  const auto stale_save = save(this->store(), this->executor_, record_of(kKey, 2), 5);
  ASSERT_FALSE(stale_save.has_value());
  EXPECT_EQ(stale_save.error().code, base::Errc::kUnavailable);
  const auto stale_erase = erase(this->store(), this->executor_, kKey, 1, 5);
  ASSERT_FALSE(stale_erase.has_value());
  EXPECT_EQ(stale_erase.error().code, base::Errc::kUnavailable);
  EXPECT_EQ(this->stored(1), Sequences{1}) << "nothing of a stale call is written";

  ASSERT_TRUE(erase(this->store(), this->executor_, kKey, 1, 7));
  EXPECT_FALSE(save(this->store(), this->executor_, record_of(kKey, 3), 6).has_value())
      << "an erased record must not come back";
  EXPECT_TRUE(save(this->store(), this->executor_, record_of(kKey, 4), 8).has_value());
  this->maker_.restart();
  EXPECT_FALSE(save(this->store(), this->executor_, record_of(kKey, 3), 7).has_value()) << "nor after a restart";
  expect_same(all_sessions(this->store()).at(kKey), record_of(kKey, 4));
}

TYPED_TEST(SessionStoreContract, AnswersOnTheExecutorGivenAndNeverInline) {
  std::promise<void> entered;
  std::promise<void> leave;
  this->executor_.post([&] {
    entered.set_value();
    leave.get_future().get();
  });
  entered.get_future().get();
  std::array<std::promise<std::thread::id>, 6> answers;
  const auto tell = [&answers](std::size_t i) {
    return [&answers, i](auto&&) { answers[i].set_value(std::this_thread::get_id()); };
  };
  this->append(1, 1);
  this->store().save(record_of(kKey, 1), 1, this->executor_, tell(0));
  this->store().erase("no", 9, 1, this->executor_, tell(1));
  this->store().write({append_of(item_of(1, 2))}, this->executor_, tell(2));
  this->store().read(1, 0, 10, 1000, this->executor_, tell(3));
  this->store().measure(1, this->executor_, tell(4));
  this->store().save_retained(message_of("t", "x"), false, this->executor_, tell(5));
  std::vector<std::future<std::thread::id>> futures;
  for (auto& answer : answers) futures.push_back(answer.get_future());
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  for (auto& future : futures) {
    EXPECT_EQ(future.wait_for(std::chrono::seconds(0)), std::future_status::timeout) << "the executor is busy";
  }
  EXPECT_EQ(this->listener_.calls(), 0U);
  leave.set_value();
  for (auto& future : futures) EXPECT_EQ(future.get(), this->executor_.id());
  this->listener_.wait_for(1);
  EXPECT_EQ(this->listener_.heard_on(), this->executor_.id());
}

TYPED_TEST(SessionStoreContract, AppendedItemsAreToldInOrderAndReadBack) {
  mqtt::MessageFields fields;
  const base::Bytes properties{1, 0, 1};
  fields.qos = 2;
  fields.retain = true;
  fields.publisher = 77;
  fields.expires_at_ms = this->clock_.wall_ms() + 1000;
  fields.properties = properties;
  const auto message = mqtt::Message::create("a/b", base::as_bytes("body"), fields);
  const auto item = item_of(5, 10, message);
  item->qos = 2;
  item->retain = true;
  item->subscription_ids = {1, 268'435'455};
  this->append(item);
  for (std::uint64_t sequence = 11; sequence < 60; ++sequence) this->append(5, sequence);
  this->listener_.wait_for(50);
  Sequences expected;
  for (std::uint64_t sequence = 10; sequence < 60; ++sequence) expected.push_back(sequence);
  EXPECT_EQ(this->listener_.appended(), expected);
  EXPECT_FALSE(item->withdraw()) << "it is written";
  this->maker_.restart();
  const auto page = read(this->store(), this->executor_, 5);
  EXPECT_EQ(sequences_of(page), expected);
  const session::StoredMessage& first = page->messages.front();
  EXPECT_EQ(first.qos, 2);
  EXPECT_TRUE(first.retain);
  EXPECT_FALSE(first.released);
  EXPECT_EQ(first.subscription_ids, (std::vector<std::uint32_t>{1, 268'435'455}));
  EXPECT_EQ(first.message->topic(), "a/b");
  EXPECT_EQ(base::as_text(first.message->payload()), "body");
  EXPECT_EQ(first.message->qos(), 2);
  EXPECT_TRUE(first.message->retain());
  EXPECT_EQ(first.message->publisher(), 77U);
  EXPECT_EQ(first.message->expires_at_ms(), fields.expires_at_ms);
  EXPECT_TRUE(std::equal(properties.begin(), properties.end(), first.message->properties().begin(),
                         first.message->properties().end()));
}

TYPED_TEST(SessionStoreContract, WithdrawnItemsAreNeitherToldNorWritten) {
  Sequences kept;
  for (std::uint64_t sequence = 1; sequence <= 200; ++sequence) {
    const auto item = item_of(1, sequence);
    this->append(item);
    if (sequence % 3 != 0 || !item->withdraw()) kept.push_back(sequence);
  }
  const auto in_write = item_of(1, 201);
  ASSERT_TRUE(in_write->withdraw());
  ASSERT_TRUE(this->write({append_of(in_write), append_of(item_of(1, 202))}));
  this->listener_.wait_for(kept.size());
  this->executor_.wait_for_all();
  EXPECT_EQ(this->listener_.appended(), kept);
  kept.push_back(202);
  EXPECT_EQ(this->stored(1), kept);
}

// The loop withdraws while the store takes: each item is either written and told, or withdrawn.
TYPED_TEST(SessionStoreContract, WithdrawingRacesWithWriting) {
  constexpr std::uint64_t kItems = 4000;
  std::array<Listener, 2> listeners;
  std::array<std::vector<std::uint64_t>, 2> kept;
  const auto work = [&](std::size_t who) {
    std::deque<session::QueueItemRef> open;
    std::mt19937 random(static_cast<unsigned>(who));
    const auto settle = [&] {
      if (random() % 2 == 0 || !open.front()->withdraw()) kept[who].push_back(open.front()->sequence);
      open.pop_front();
    };
    for (std::uint64_t sequence = 1; sequence <= kItems; ++sequence) {
      open.push_back(item_of(who + 1, sequence));
      this->store().append(open.back(), this->executor_, listeners[who]);
      if (open.size() > random() % 300) settle();
    }
    while (!open.empty()) settle();
  };
  std::thread other(work, 1);
  work(0);
  other.join();
  for (std::size_t who = 0; who < 2; ++who) {
    listeners[who].wait_for(kept[who].size());
    EXPECT_EQ(this->stored(who + 1), kept[who]);
    this->executor_.wait_for_all();
    EXPECT_EQ(listeners[who].appended(), kept[who]);
    EXPECT_TRUE(listeners[who].failed().empty());
  }
}

TYPED_TEST(SessionStoreContract, AWriteIsAppliedInOrder) {
  ASSERT_TRUE(this->write({append_of(item_of(1, 1)),
                           append_of(item_of(1, 2)),
                           append_of(item_of(2, 1)),
                           {Kind::kRemove, 1, 1, nullptr},
                           {Kind::kRelease, 2, 1, nullptr},
                           {Kind::kPutReceived, 1, 65'535, nullptr},
                           {Kind::kPutReceived, 2, 5, nullptr},
                           {Kind::kEraseReceived, 2, 5, nullptr}}));
  EXPECT_EQ(this->stored(1), Sequences{2});
  const auto page = read(this->store(), this->executor_, 2);
  ASSERT_EQ(sequences_of(page), Sequences{1});
  EXPECT_TRUE(page->messages[0].released);
  EXPECT_TRUE(page->messages[0].message) << "never null";
  this->maker_.restart();
  EXPECT_EQ(all_received(this->store()), (std::set<std::pair<SessionNumber, std::uint16_t>>{{1, 65'535}}));
  ASSERT_TRUE(this->write({{Kind::kRemove, 2, 1, nullptr}, {Kind::kEraseReceived, 1, 65'535, nullptr}}));
  this->maker_.restart();
  EXPECT_TRUE(all_received(this->store()).empty());
  EXPECT_EQ(this->stored(2), Sequences());
}

TYPED_TEST(SessionStoreContract, AReleaseNeedsNoStoredMessage) {
  ASSERT_TRUE(this->write({{Kind::kRelease, 3, 9, nullptr}}));
  this->maker_.restart();
  const auto page = read(this->store(), this->executor_, 3);
  ASSERT_EQ(sequences_of(page), Sequences{9});
  EXPECT_TRUE(page->messages[0].released);
}

TYPED_TEST(SessionStoreContract, RemovedMessagesAreGone) {
  for (std::uint64_t sequence = 1; sequence <= 5; ++sequence) this->append(1, sequence);
  this->store().remove(1, 2);  // perhaps still waiting
  this->listener_.wait_for(5);
  EXPECT_EQ(this->listener_.appended(), (Sequences{1, 2, 3, 4, 5})) << "nobody withdrew it";
  this->store().remove(1, 4);
  this->store().remove(1, 99);
  EXPECT_EQ(this->stored(1), (Sequences{1, 3, 5}));
  this->maker_.restart();
  EXPECT_EQ(this->stored(1), (Sequences{1, 3, 5}));
}

TYPED_TEST(SessionStoreContract, ADroppedQueueIsFinished) {
  for (std::uint64_t sequence = 1; sequence <= 3000; ++sequence) this->append(1, sequence);
  for (std::uint64_t sequence = 1; sequence <= 3; ++sequence) this->append(2, sequence);
  std::vector<StoreOperation> received;
  for (std::uint64_t id = 1; id <= 300; ++id) received.push_back({Kind::kPutReceived, 1, id, nullptr});
  received.push_back({Kind::kPutReceived, 2, 1, nullptr});
  ASSERT_TRUE(this->write(std::move(received)));
  this->store().drop_queue(1);
  EXPECT_EQ(this->stored(1), Sequences()) << "at once";
  EXPECT_EQ(this->stored(2), (Sequences{1, 2, 3}));
  this->append(1, 4000);
  this->listener_.wait_for(3004);
  EXPECT_EQ(this->listener_.failed(), Sequences());
  EXPECT_EQ(this->stored(1), Sequences()) << "nothing comes back";
  this->store().drop_queue(7);  // there is none
  for (int i = 0; i < 500 && all_received(this->store()).size() > 1; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));  // in the background
  }
  this->maker_.restart();
  EXPECT_EQ(all_received(this->store()), (std::set<std::pair<SessionNumber, std::uint16_t>>{{2, 1}}));
  EXPECT_EQ(this->stored(1), Sequences());
  EXPECT_EQ(this->stored(2), (Sequences{1, 2, 3}));
}

TYPED_TEST(SessionStoreContract, PagesHaveBounds) {
  for (std::uint64_t sequence = 10; sequence <= 100; sequence += 10) this->append(1, sequence);
  this->append(2, 1);
  auto page = read(this->store(), this->executor_, 1, 0, 3);
  EXPECT_EQ(sequences_of(page), (Sequences{10, 20, 30}));
  EXPECT_FALSE(page->at_end);
  page = read(this->store(), this->executor_, 1, 31, 7);
  EXPECT_EQ(sequences_of(page), (Sequences{40, 50, 60, 70, 80, 90, 100}));
  EXPECT_TRUE(page->at_end);
  page = read(this->store(), this->executor_, 1, 90, 7);
  EXPECT_EQ(sequences_of(page), (Sequences{90, 100})) << "the bound is inclusive, and other sessions are not seen";
  EXPECT_TRUE(page->at_end);
  EXPECT_TRUE(read(this->store(), this->executor_, 1, 101, 7)->messages.empty());
  const std::size_t two = 2 * item_of(1, 10)->message->memory_bytes();
  page = read(this->store(), this->executor_, 1, 0, 100, two);
  EXPECT_EQ(sequences_of(page), (Sequences{10, 20}));
  EXPECT_FALSE(page->at_end);
  page = read(this->store(), this->executor_, 1, 0, 100, 1);
  EXPECT_EQ(sequences_of(page), Sequences{10}) << "at least one";
  EXPECT_FALSE(page->at_end);
  page = read(this->store(), this->executor_, 1, 100, 1, 1);
  EXPECT_EQ(sequences_of(page), Sequences{100});
  EXPECT_TRUE(page->at_end);
}

TYPED_TEST(SessionStoreContract, MeasureTellsWhatIsLeft) {
  std::uint64_t bytes = 0;
  for (std::uint64_t sequence = 1; sequence <= 5; ++sequence) {
    const auto item = item_of(1, sequence);
    if (sequence != 3) bytes += item->message->memory_bytes();
    this->append(item);
  }
  this->append(item_of(1, 6, message_of("t", "short-lived", this->clock_.wall_ms() + 10)));
  this->store().remove(1, 3);
  this->clock_.advance(20);
  const auto size = measure(this->store(), this->executor_, 1);
  ASSERT_TRUE(size.has_value());
  EXPECT_EQ(size->messages, 4U);
  EXPECT_EQ(size->bytes, bytes);
  EXPECT_EQ(size->last_sequence, 5U);
}

TYPED_TEST(SessionStoreContract, ExpiredMessagesAreLeftOut) {
  const base::WallMs now_ms = this->clock_.wall_ms();
  const std::string large(1000, 'x');
  for (std::uint64_t sequence = 1; sequence <= 6; ++sequence) {
    const base::WallMs expires_at_ms = sequence % 2 == 0 ? now_ms + static_cast<base::WallMs>(1000 * sequence) : 0;
    const auto message = message_of("t", sequence > 3 ? large : "small", expires_at_ms);
    for (SessionNumber number = 1; number <= 5; ++number) this->append(item_of(number, sequence, message));
  }
  ASSERT_TRUE(save_retained(this->store(), this->executor_, message_of("short", "x", now_ms + 3000)));
  ASSERT_TRUE(save_retained(this->store(), this->executor_, message_of("long", "x", now_ms + 9000)));
  this->clock_.advance(4000);
  for (SessionNumber number = 1; number <= 5; ++number) {
    EXPECT_EQ(this->stored(number), (Sequences{1, 3, 5, 6}));
    EXPECT_EQ(sequences_of(read(this->store(), this->executor_, number, 0, 2)), (Sequences{1, 3}))
        << "they do not count";
  }
  EXPECT_EQ(all_retained(this->store()), (std::map<std::string, std::string>{{"long", "x"}}));
  this->maker_.restart();
  EXPECT_EQ(this->stored(2), (Sequences{1, 3, 5, 6}));
}

TYPED_TEST(SessionStoreContract, ALargeMessageReachesAllItsSessions) {
  const std::string payload(10'000, 'p');
  for (std::uint64_t sequence = 1; sequence <= 4; ++sequence) {
    const auto message = message_of("t/" + std::to_string(sequence), payload + std::to_string(sequence));
    for (SessionNumber number = 1; number <= 20; ++number) this->append(item_of(number, sequence, message));
  }
  this->listener_.wait_for(80);
  for (SessionNumber number = 1; number <= 20; ++number) {
    if (number != 7) this->store().remove(number, 2);
    if (number % 2 == 0) this->store().drop_queue(number);
  }
  this->maker_.restart();
  EXPECT_EQ(this->stored(1), (Sequences{1, 3, 4}));
  EXPECT_EQ(this->stored(2), Sequences());
  const auto page = read(this->store(), this->executor_, 7);
  ASSERT_EQ(sequences_of(page), (Sequences{1, 2, 3, 4}));
  for (const auto& stored : page->messages) {
    EXPECT_EQ(stored.message->topic(), "t/" + std::to_string(stored.sequence));
    EXPECT_EQ(base::as_text(stored.message->payload()), payload + std::to_string(stored.sequence));
  }
}

TYPED_TEST(SessionStoreContract, TheLastRetainedMessageOfATopicStays) {
  for (int i = 0; i < 50; ++i) {
    for (const char* topic : {"a", "b", "a/b", ""}) {
      this->store().save_retained(message_of(topic, std::to_string(i)), i % 5 == 4, this->executor_, [](auto) {});
    }
  }
  ASSERT_TRUE(save_retained(this->store(), this->executor_, message_of("a", "last")));
  ASSERT_TRUE(save_retained(this->store(), this->executor_, message_of("a/b", "never mind"), false));
  ASSERT_TRUE(save_retained(this->store(), this->executor_, message_of("a/b", ""), true));
  this->maker_.restart();
  EXPECT_EQ(all_retained(this->store()), (std::map<std::string, std::string>{{"a", "last"}}));
}

// Calls made without waiting: a read shows the writes given before it, and answers come in the order of the calls.
TYPED_TEST(SessionStoreContract, CallsOfOneSessionAreAppliedInOrder) {
  std::mt19937 random(11);
  std::map<SessionNumber, std::set<std::uint64_t>> model;
  std::atomic<int> wrong = 0;
  std::vector<int> answered;  // on the executor
  std::vector<int> asked;
  Listener listener;
  for (int step = 0; step < 6000; ++step) {
    const SessionNumber number = 1 + random() % 7;
    auto& queue = model[number];
    const auto sequence = static_cast<std::uint64_t>(step);
    const auto action = random() % 10;
    const auto note = [&answered, &wrong, step](const base::Result<>& result) {
      wrong += result ? 0 : 1;
      answered.push_back(step);
    };
    if (action < 4) {
      this->append(number, sequence);
      queue.insert(sequence);
    } else if (action < 6) {
      if (queue.empty()) continue;
      this->store().remove(number, *queue.begin());
      queue.erase(queue.begin());
    } else if (action < 7) {
      asked.push_back(step);
      this->store().write({append_of(item_of(number, sequence)), {Kind::kRelease, number, sequence, nullptr}},
                          this->executor_, note);
      queue.insert(sequence);
    } else if (action < 8) {
      asked.push_back(step);
      this->store().save(record_of("k" + std::to_string(number), step), 1, this->executor_, note);
    } else {
      this->store().read(number, 0, 100'000, 1U << 30, this->executor_,
                         [&wrong, sequence, expected = Sequences(queue.begin(), queue.end())](auto page) {
                           Sequences shown = sequences_of(page);
                           // What was given later may show too.
                           std::erase_if(shown, [sequence](std::uint64_t other) { return other > sequence; });
                           wrong += std::includes(expected.begin(), expected.end(), shown.begin(), shown.end()) ? 0 : 1;
                         });
    }
    if (step % 500 != 0) continue;
    for (const auto& [each, expected] : model) {
      EXPECT_EQ(this->stored(each), Sequences(expected.begin(), expected.end())) << step;
    }
  }
  for (const auto& [number, expected] : model) {
    EXPECT_EQ(this->stored(number), Sequences(expected.begin(), expected.end()));
  }
  ASSERT_TRUE(this->write({}));
  this->executor_.wait_for_all();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(answered, asked);
}

TYPED_TEST(SessionStoreContract, SeveralLoopsAtOnce) {
  constexpr std::uint64_t kItems = 3000;
  std::array<Listener, 3> listeners;
  std::array<WaitingExecutor, 3> executors;
  std::vector<std::thread> threads;
  for (std::size_t who = 0; who < 3; ++who) {
    threads.emplace_back([&, who] {
      for (std::uint64_t sequence = 1; sequence <= kItems; ++sequence) {
        this->store().append(item_of(who + 1, sequence), executors[who], listeners[who]);
        if (sequence % 100 == 0) {
          EXPECT_EQ(stored_sequences(this->store(), executors[who], who + 1).size(), sequence);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t who = 0; who < 3; ++who) {
    listeners[who].wait_for(kItems);
    const Sequences appended = listeners[who].appended();
    EXPECT_TRUE(std::is_sorted(appended.begin(), appended.end()));
    EXPECT_EQ(appended.size(), kItems);
    EXPECT_EQ(listeners[who].heard_on(), executors[who].id());
  }
}

}  // namespace
}  // namespace mooring::storage
