// A process that is killed in the middle of its writes: everything it was told of is there, and writes are whole.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

#include "storage/rocks_session_store.h"
#include "storage/tests/store_calls.h"
#include "storage/tests/temporary_folder.h"

namespace mooring::storage {
namespace {

using session::SessionNumber;
using session::StoreOperation;
using Kind = session::StoreOperation::Kind;

// What is told through the pipe: which kind of write, and its number.
struct Told {
  std::int32_t kind = 0;  // 0 save, 1 append, 2 write of two messages and a received identifier, 3 retained
  std::int32_t number = 0;
};

constexpr SessionNumber kSessions = 8;  // appends go round
constexpr SessionNumber kFirstOfPair = 101;
constexpr SessionNumber kSecondOfPair = 102;

session::SessionRecord record_of(int number) {
  session::SessionRecord record;
  record.key = "d" + std::to_string(number);
  record.number = 1000 + static_cast<SessionNumber>(number);
  record.subscriptions = {{"/pk/dn/user/" + std::to_string(number), 1}};
  return record;
}

mqtt::MessageRef message_of_write(std::int32_t number) {
  // Every second one long enough for a blob, if it had more sessions.
  return message_of("t", std::string(number % 2 == 0 ? 20 : 600, 'x') + std::to_string(number));
}

class Teller final : public session::AppendListener {
 public:
  explicit Teller(int pipe) : pipe_(pipe) {}
  void tell(Told told) {
    if (::write(pipe_, &told, sizeof told) != sizeof told) ::_exit(4);
    open_ -= 1;
  }
  void on_appended(std::span<const session::QueueItemRef> items) override {
    for (const auto& item : items) tell({1, static_cast<std::int32_t>(item->sequence)});
  }
  void on_append_failed(std::span<const session::QueueItemRef>, const base::Error&) override { ::_exit(5); }
  void begin_one() {
    while (open_ >= 64) std::this_thread::yield();
    open_ += 1;
  }

 private:
  const int pipe_;
  std::atomic<int> open_ = 0;
};

// Writes for ever, with several under way, and tells each completed one through the pipe.
[[noreturn]] void write_and_tell(const std::filesystem::path& folder, Durability durability, std::int32_t first,
                                 int pipe) {
  RocksSessionStoreOptions options;
  options.folder = folder;
  options.durability = durability;
  auto opened = RocksSessionStore::open(options);
  if (!opened) ::_exit(3);
  RocksSessionStore& store = **opened;
  WaitingExecutor executor;
  Teller teller(pipe);
  for (std::int32_t i = first;; ++i) {
    const auto sequence = static_cast<std::uint64_t>(i);
    const auto done = [&teller](std::int32_t kind, std::int32_t number) {
      return [&teller, kind, number](base::Result<> result) {
        if (!result) ::_exit(6);
        teller.tell({kind, number});
      };
    };
    teller.begin_one();
    switch (i % 8) {
      case 0:
        store.save(record_of(i), 1, executor, done(0, i));
        break;
      case 1:
        store.write({{Kind::kAppend, 0, 0, item_of(kFirstOfPair, sequence, message_of_write(i))},
                     {Kind::kAppend, 0, 0, item_of(kSecondOfPair, sequence, message_of_write(i))},
                     {Kind::kPutReceived, kFirstOfPair, sequence % 65'536, nullptr}},
                    executor, done(2, i));
        break;
      case 2:
        store.save_retained(message_of("r/" + std::to_string(i), "x"), false, executor, done(3, i));
        break;
      default:
        store.append(item_of(sequence % kSessions, sequence, message_of_write(i)), executor, teller);
    }
  }
}

// The child is this program again, not a fork that goes on: RocksDB's threads would be missing there. It finds its
// order "<durability> <first> <pipe> <folder>" in the environment, before any test begins.
constexpr const char* kOrderVariable = "MOORING_STORAGE_TEST_ORDER";

[[maybe_unused]] const bool kIsParent = [] {
  const char* order = std::getenv(kOrderVariable);
  if (order == nullptr) return true;
  std::istringstream words(order);
  int durability = 0;
  int first = 0;
  int pipe = 0;
  std::string folder;
  if (!(words >> durability >> first >> pipe >> folder)) ::_exit(7);
  write_and_tell(folder, static_cast<Durability>(durability), first, pipe);
}();

pid_t start_child(const std::filesystem::path& folder, Durability durability, std::int32_t first, int pipe) {
  std::ostringstream order;
  order << static_cast<int>(durability) << ' ' << first << ' ' << pipe << ' ' << folder.string();
  ::setenv(kOrderVariable, order.str().c_str(), 1);
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl("/proc/self/exe", "storage_test", nullptr);
    ::_exit(8);
  }
  ::unsetenv(kOrderVariable);
  return child;
}

std::vector<Told> told_before_kill(const std::filesystem::path& folder, Durability durability, std::int32_t first,
                                   std::size_t at_least) {
  std::array<int, 2> ends{};
  EXPECT_EQ(::pipe(ends.data()), 0);
  const pid_t child = start_child(folder, durability, first, ends[1]);
  EXPECT_GT(child, 0);
  ::close(ends[1]);
  std::vector<Told> told;
  Told one;
  while (::read(ends[0], &one, sizeof one) == sizeof one) {
    told.push_back(one);
    if (told.size() == at_least) ::kill(child, SIGKILL);
  }
  ::close(ends[0]);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  return told;
}

// What the store holds, by the kinds of Told.
struct Held {
  std::set<std::int32_t> saved, appended, first_of_pair, second_of_pair, received, retained;
};

std::set<std::int32_t> queue_of(RocksSessionStore& store, WaitingExecutor& executor, SessionNumber number) {
  std::set<std::int32_t> found;
  const auto page = read(store, executor, number);
  EXPECT_TRUE(page.has_value());
  for (const auto& stored : page->messages) {
    const auto sequence = static_cast<std::int32_t>(stored.sequence);
    EXPECT_EQ(base::as_text(stored.message->payload()), base::as_text(message_of_write(sequence)->payload()));
    found.insert(sequence);
  }
  return found;
}

Held held_by(RocksSessionStore& store) {
  WaitingExecutor executor;
  Held held;
  for (const auto& [key, record] : all_sessions(store)) held.saved.insert(std::stoi(key.substr(1)));
  for (const auto& [topic, payload] : all_retained(store)) held.retained.insert(std::stoi(topic.substr(2)));
  for (const auto& [number, packet_id] : all_received(store)) held.received.insert(packet_id);
  for (SessionNumber number = 0; number < kSessions; ++number) held.appended.merge(queue_of(store, executor, number));
  held.first_of_pair = queue_of(store, executor, kFirstOfPair);
  held.second_of_pair = queue_of(store, executor, kSecondOfPair);
  return held;
}

void check(const Held& held, const std::vector<Told>& told) {
  for (const Told& one : told) {
    const std::set<std::int32_t>* where = one.kind == 0   ? &held.saved
                                          : one.kind == 1 ? &held.appended
                                          : one.kind == 2 ? &held.first_of_pair
                                                          : &held.retained;
    ASSERT_TRUE(where->contains(one.number)) << one.kind << ' ' << one.number;
  }
  EXPECT_EQ(held.first_of_pair, held.second_of_pair) << "all or nothing";
  EXPECT_EQ(held.first_of_pair, held.received) << "all or nothing";
}

TEST(StorageCrash, EverythingToldSurvivesKill9) {
  for (const Durability durability : {Durability::kDisk, Durability::kProcess}) {
    const TemporaryFolder folder;
    std::vector<Told> told;
    std::int32_t first = 0;
    for (const std::size_t at_least : {1U, 333U, 2500U}) {
      const auto more = told_before_kill(folder.path() / "sessions", durability, first, at_least);
      ASSERT_GE(more.size(), at_least);
      told.insert(told.end(), more.begin(), more.end());
      first += 8000;
      RocksSessionStoreOptions options;
      options.folder = folder.path() / "sessions";
      options.durability = durability;
      auto store = RocksSessionStore::open(options);
      ASSERT_TRUE(store.has_value()) << store.error().message;
      check(held_by(**store), told);
    }
  }
}

}  // namespace
}  // namespace mooring::storage
