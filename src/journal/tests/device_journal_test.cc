#include "journal/device_journal.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

namespace mooring::journal {
namespace {

class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "journal-test-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::filesystem::path file() const { return path_ / "journal.db"; }

 private:
  std::filesystem::path path_;
};

class TestClock final : public base::Clock {
 public:
  base::MonoMs mono_ms() const override { return now_.load(); }
  base::WallMs wall_ms() const override { return 1'700'000'000'000 + now_.load() + wall_.load(); }
  void advance(base::MonoMs ms) { now_ += ms; }
  void set_back(base::WallMs ms) { wall_ -= ms; }

 private:
  std::atomic<base::WallMs> wall_{0};
  std::atomic<base::MonoMs> now_{1000};
};

// Knows the devices it was told, and finds in every attempt what its password says.
class TestExaminer final : public Examiner {
 public:
  std::optional<Diagnosis> examine(const Event& event) override {
    if (busy) return std::nullopt;
    ++examined;
    while (holds) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return Diagnosis{event.attempt->password, "text of " + event.attempt->password, "advice"};
  }
  bool is_known(const base::DeviceKey& device) override {
    ++asked;
    return knows_all || known.contains(device.device_name);
  }

  std::set<std::string> known{"dev1", "dev2"};
  std::atomic<bool> knows_all{false};
  std::atomic<int> asked{0};
  std::atomic<int> examined{0};
  std::atomic<bool> busy{false};
  std::atomic<bool> holds{false};  // whoever examines waits
};

class DeviceJournalTest : public ::testing::Test {
 protected:
  DeviceJournalTest() { open(); }

  void open() {
    auto opened = DeviceJournal::open(folder_.file(), limits_, &examiner_, clock_);
    ASSERT_TRUE(opened) << opened.error().message;
    journal_ = std::move(*opened);
    journal_->start();
  }
  void reopen() {
    journal_.reset();
    open();
  }
  static Event event(std::string device, Action action) {
    Event event;
    event.device = {"pk", std::move(device)};
    event.action = action;
    event.address = "192.0.2.7:1234";
    return event;
  }
  void damage_what_opening_does_not_read() {
    constexpr std::size_t kIntact = 4 * 4096;
    for (int i = 0; i < 2000; ++i) journal_->record(event("dev" + std::to_string(i), Action::kOnline));
    log("dev1");
    journal_.reset();
    for (const char* companion : {"-wal", "-shm"}) std::filesystem::remove(folder_.file().string() + companion);
    {
      std::fstream file(folder_.file(), std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(kIntact);
      file << std::string(std::filesystem::file_size(folder_.file()) - kIntact, 'x');
    }
    open();
  }
  bool damaged_one_is_aside() const {
    std::ifstream stream(folder_.file().string() + ".damaged", std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(stream), {}};
    return content.ends_with(std::string(4096, 'x'));
  }
  Event refusal(std::string device, std::string password, std::string address = "192.0.2.7:1234") {
    Event made = event(std::move(device), Action::kRefused);
    made.code = kCodeBadSignature;
    made.name = "wrong-signature";
    made.known = false;
    made.address = std::move(address);
    made.attempt = std::make_unique<SignInAttempt>();
    made.attempt->password = std::move(password);
    return made;
  }
  std::vector<Entry> log(const std::string& device, LogQuery query = {}) {
    auto page = journal_->read_log({"pk", device}, query);
    EXPECT_TRUE(page) << page.error().message;
    return page ? page->entries : std::vector<Entry>();
  }
  std::vector<Entry> strangers(StrangerQuery query = {}) {
    auto rows = journal_->read_strangers(query);
    EXPECT_TRUE(rows) << rows.error().message;
    return rows ? *rows : std::vector<Entry>();
  }

  Folder folder_;
  TestClock clock_;
  TestExaminer examiner_;
  JournalLimits limits_;
  std::unique_ptr<DeviceJournal> journal_;
};

TEST_F(DeviceJournalTest, KeepsWhatHappenedInOrderAndOverARestart) {
  for (int i = 0; i < 3; ++i) {
    Event online = event("dev1", Action::kOnline);
    online.reason = "online";
    online.facts = "MQTT 5";
    journal_->record(std::move(online));
    Event offline = event("dev1", Action::kOffline);
    offline.reason = "Keepalive timeout";
    journal_->record(std::move(offline));
  }
  journal_->record(event("dev2", Action::kOnline));
  for (int round = 0; round < 2; ++round) {
    const auto entries = log("dev1");
    ASSERT_EQ(entries.size(), 6U);
    for (std::size_t i = 0; i < entries.size(); ++i) {
      EXPECT_EQ(entries[i].action, i % 2 == 0 ? Action::kOnline : Action::kOffline);
      if (i > 0) {
        EXPECT_GT(entries[i].id, entries[i - 1].id);
      }
    }
    EXPECT_EQ(entries[0].facts, "MQTT 5");
    EXPECT_EQ(entries[1].reason, "Keepalive timeout");
    EXPECT_EQ(log("dev2").size(), 1U);
    EXPECT_TRUE(log("nobody").empty());
    reopen();
  }
}

TEST_F(DeviceJournalTest, RepeatsAreOneEntryWithACount) {
  for (int i = 0; i < 5000; ++i) journal_->record(refusal("dev1", "method-hmacsha1"));
  auto entries = log("dev1");
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].count, 5000U);
  EXPECT_EQ(entries[0].diagnosis.name, "method-hmacsha1");
  EXPECT_EQ(entries[0].diagnosis.text, "text of method-hmacsha1");
  EXPECT_EQ(examiner_.examined, 1);  // the same attempt is not looked at twice

  journal_->record(event("dev1", Action::kOnline));
  journal_->record(refusal("dev1", "method-hmacsha1"));
  entries = log("dev1");
  ASSERT_EQ(entries.size(), 3U);  // what came between parts them
  EXPECT_EQ(entries[0].count, 5000U);
  EXPECT_EQ(entries[2].count, 1U);
}

TEST_F(DeviceJournalTest, EveryNewMistakeIsAnEntryOfItsOwn) {
  for (const char* mistake : {"a", "b", "a", "c", "a"}) journal_->record(refusal("dev1", mistake));
  const auto entries = log("dev1");
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[0].diagnosis.name, "a");
  EXPECT_EQ(entries[0].count, 3U);
  EXPECT_EQ(entries[1].diagnosis.name, "b");
  EXPECT_EQ(entries[2].diagnosis.name, "c");
}

TEST_F(DeviceJournalTest, WhatCannotBeExaminedAtOnceIsExaminedLater) {
  examiner_.busy = true;
  for (int i = 0; i < 3; ++i) journal_->record(refusal("dev1", "a"));
  journal_->record(refusal("ghost", "b"));
  EXPECT_EQ(log("dev1").at(0).diagnosis.name, kNotExamined);
  EXPECT_EQ(strangers().at(0).diagnosis.name, kNotExamined);
  LogQuery follow;
  follow.after_revision = journal_->read_log({"pk", "dev1"}, {})->revision;
  examiner_.busy = false;
  const auto entries = log("dev1");
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].diagnosis.name, "a");
  EXPECT_EQ(entries[0].diagnosis.text, "text of a");
  EXPECT_EQ(entries[0].count, 3U);
  EXPECT_EQ(log("dev1", follow).size(), 1U);  // who follows sees it
  journal_->record(refusal("ghost", "b"));
  EXPECT_EQ(strangers().at(0).diagnosis.name, "b");
  EXPECT_EQ(strangers().at(0).count, 2U);
  EXPECT_EQ(examiner_.examined, 2);
}

TEST_F(DeviceJournalTest, WhatFoundNoPlaceToWaitIsExaminedWhenItComesAgain) {
  examiner_.busy = true;
  for (int i = 0; i < 1'000; ++i) examiner_.known.insert("many" + std::to_string(i));
  for (int i = 0; i < 1'000; ++i) journal_->record(refusal("many" + std::to_string(i), "a"));
  journal_->record(refusal("dev1", "b"));
  EXPECT_EQ(log("dev1").at(0).diagnosis.name, kNotExamined);
  examiner_.busy = false;
  EXPECT_EQ(log("many999").at(0).diagnosis.name, "a");
  EXPECT_EQ(log("dev1").at(0).diagnosis.name, kNotExamined);
  journal_->record(refusal("dev1", "b"));
  const auto entries = log("dev1");
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].diagnosis.name, "b");
  EXPECT_EQ(entries[0].count, 2U);
}

TEST_F(DeviceJournalTest, LargeEventsAreBoundedInBytes) {
  constexpr std::size_t kEach = 4'000'000;
  examiner_.holds = true;
  journal_->record(refusal("dev2", "a"));  // the writer is busy with it
  while (examiner_.examined == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  for (int i = 0; i < 20; ++i) {
    Event denied = event("dev1", Action::kPublishDenied);
    denied.subject.assign(kEach, 'x');
    journal_->record(std::move(denied));
  }
  EXPECT_GT(journal_->counters().dropped, 0U);
  journal_->record(event("dev1", Action::kOffline));
  examiner_.holds = false;
  EXPECT_EQ(log("dev1").back().action, Action::kOffline);
}

TEST_F(DeviceJournalTest, AClockThatIsSetBackDelaysNothing) {
  journal_->record(refusal("dev1", "a"));
  journal_->record(refusal("dev1", "a"));
  log("dev1");
  clock_.set_back(86'400'000);
  for (int i = 0; i < 5; ++i) journal_->record(refusal("dev1", "a"));
  journal_->record(event("dev1", Action::kOnline));
  const auto entries = log("dev1");
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[0].count, 2U);
  EXPECT_EQ(entries[1].count, 5U);
  EXPECT_EQ(entries[2].action, Action::kOnline);
}

TEST_F(DeviceJournalTest, ADeviceThatFailsInEverNewWaysCostsAFewEntriesAMinute) {
  for (int i = 0; i < 10'000; ++i) {
    Event denied = event("dev1", Action::kPublishDenied);
    denied.name = "not-permitted";
    denied.subject = "/topic/" + std::to_string(i);
    journal_->record(std::move(denied));
    if (i % 10 == 0) journal_->record(refusal("dev2", "p" + std::to_string(i)));
  }
  const auto entries = log("dev1");
  EXPECT_LE(entries.size(), 12U);
  std::uint64_t all = 0;
  for (const Entry& entry : entries) all += entry.count;
  EXPECT_EQ(all, 10'000U);
  EXPECT_LE(log("dev2").size(), 12U);
  EXPECT_LE(examiner_.examined, 12);
}

// By going through all the names there are, a stranger pushed out what a device had in its log.
TEST_F(DeviceJournalTest, EverOtherKindsOfRefusalsPushNothingOut) {
  journal_->record(event("dev1", Action::kOnline));
  for (int i = 0; i < 2'000; ++i) {
    static const std::string_view kKinds[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m"};
    Event refused = refusal("dev1", "p");
    refused.known = true;
    refused.name = kKinds[i % std::size(kKinds)];
    journal_->record(std::move(refused));
  }
  const auto entries = log("dev1");
  EXPECT_LE(entries.size(), 20U);
  EXPECT_EQ(entries.front().action, Action::kOnline);
  std::uint64_t all = 0;
  for (const Entry& entry : entries) all += entry.count;
  EXPECT_EQ(all, 2'001U);
}

TEST_F(DeviceJournalTest, TicketsThatComeAgainAreOneEntry) {
  journal_->record(event("dev1", Action::kOnline));
  for (int i = 0; i < 1'000; ++i) journal_->record(event("dev1", Action::kTicket));
  EXPECT_EQ(log("dev1").size(), 2U);
}

TEST_F(DeviceJournalTest, AMergeThatGrowsIsSeenByWhoFollows) {
  journal_->record(refusal("dev1", "a"));
  auto page = journal_->read_log({"pk", "dev1"}, {});
  ASSERT_TRUE(page);
  LogQuery follow;
  follow.after_revision = page->revision;
  EXPECT_TRUE(log("dev1", follow).empty());
  journal_->record(refusal("dev1", "a"));
  journal_->record(event("dev1", Action::kOnline));
  const auto news = log("dev1", follow);
  ASSERT_EQ(news.size(), 2U);
  EXPECT_EQ(news[0].count, 2U);
  EXPECT_EQ(news[1].action, Action::kOnline);
}

TEST_F(DeviceJournalTest, StrangersHaveAPlaceOfTheirOwnWithBounds) {
  for (int i = 0; i < 500; ++i) journal_->record(refusal("ghost" + std::to_string(i), "x"));
  for (int i = 0; i < 30; ++i) {
    journal_->record(refusal("ghost", "case-of-letters", "198.51.100." + std::to_string(i) + ":99"));
  }
  EXPECT_TRUE(log("ghost0").empty());
  StrangerQuery of_one;
  of_one.device_name = "ghost";
  of_one.limit = 1000;
  EXPECT_EQ(strangers(of_one).size(), 30U);
  of_one.device_name = "GHOST";
  EXPECT_TRUE(strangers(of_one).empty());
  of_one.any_case = true;
  EXPECT_EQ(strangers(of_one).size(), 30U);
  StrangerQuery all;
  all.limit = 1000;
  const auto rows = strangers(all);
  EXPECT_EQ(rows.size(), 30U + 50U + 1U);  // one address: fifty names, then one row for the rest
  std::uint64_t count = 0;
  for (const Entry& row : rows) count += row.count;
  EXPECT_EQ(count, 530U);
}

TEST_F(DeviceJournalTest, AStormOfNamesFromOneAddressTakesFiftyRows) {
  constexpr int kNames = 200'000;
  for (int i = 0; i < kNames; ++i) journal_->record(refusal("ghost" + std::to_string(i), "x"));
  StrangerQuery all;
  all.limit = 1000;
  std::vector<Entry> rows;
  std::uint64_t count = 0;
  // A reader waits for two seconds at most, and under TSan two full batches take longer.
  for (int reads = 0; reads < 20 && count + journal_->counters().dropped != kNames; ++reads) {
    rows = strangers(all);
    count = 0;
    for (const Entry& row : rows) count += row.count;
  }
  EXPECT_EQ(rows.size(), 51U);
  EXPECT_EQ(count + journal_->counters().dropped, static_cast<std::uint64_t>(kNames));
  EXPECT_LE(examiner_.examined, 50);
  EXPECT_LE(std::filesystem::file_size(folder_.file()), 1U << 20);
}

TEST_F(DeviceJournalTest, StrangersOfOneIpv6NetworkAreOneStranger) {
  for (int i = 1; i < 100; ++i) journal_->record(refusal("g", "x", "[2001:db8::" + std::to_string(i) + "]:5"));
  const auto rows = strangers();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].count, 99U);
}

TEST_F(DeviceJournalTest, ADeviceKeepsItsNewestEntries) {
  limits_.entries_per_device = 20;
  journal_->set_limits(limits_);
  for (int i = 0; i < 1000; ++i) {
    Event online = event("dev1", Action::kOnline);
    online.reason = std::to_string(i);
    journal_->record(std::move(online));
  }
  LogQuery all;
  all.limit = 1000;
  const auto entries = log("dev1", all);
  EXPECT_GE(entries.size(), 20U);
  EXPECT_LE(entries.size(), 28U);
  EXPECT_EQ(entries.back().reason, "999");
}

TEST_F(DeviceJournalTest, EntriesAreCountedOverBatchesDevicesAndRestarts) {
  limits_.entries_per_device = 20;
  journal_->set_limits(limits_);
  LogQuery all;
  all.limit = 1000;
  for (int batch = 0; batch < 12; ++batch) {
    for (int i = 0; i < 9; ++i) {
      journal_->record(event("dev" + std::to_string(i % 3), i % 2 == 0 ? Action::kOnline : Action::kOffline));
    }
    if (batch % 4 == 3) reopen();
    const std::size_t total = 3 * (static_cast<std::size_t>(batch) + 1);
    EXPECT_EQ(log("dev1", all).size(), total <= 28 ? total : total - 9) << batch;  // the 29th leaves 20
  }
}

// The count of a merge whose row had gone was never written again.
TEST_F(DeviceJournalTest, WhatRepeatsOutlivesTheTrimmingOfItsEntry) {
  limits_.entries_per_device = 4;
  journal_->set_limits(limits_);
  LogQuery all;
  all.limit = 1000;
  const auto counts_of_p1 = [&] {
    std::vector<std::uint64_t> counts;
    for (const Entry& entry : log("dev1", all)) {
      if (entry.diagnosis.name == "p1") counts.push_back(entry.count);
    }
    return counts;
  };
  journal_->record(refusal("dev1", "p1"));
  journal_->record(refusal("dev1", "p1"));
  ASSERT_EQ(counts_of_p1(), std::vector<std::uint64_t>{2});
  for (int i = 0; i < 12; ++i) {  // until the row has gone; so many kinds take two minutes
    if (i == 6) {
      clock_.advance(61'000);
      journal_->record(refusal("dev1", "p1"));
    }
    journal_->record(refusal("dev1", "other" + std::to_string(i)));
  }
  journal_->record(refusal("dev1", "p1"));
  journal_->record(refusal("dev1", "p1"));
  EXPECT_EQ(counts_of_p1(), std::vector<std::uint64_t>{5});
  journal_->record(refusal("dev1", "p1"));  // begins anew, with its details
  EXPECT_EQ(counts_of_p1(), (std::vector<std::uint64_t>{5, 1}));
  EXPECT_EQ(log("dev1", all).back().diagnosis.text, "text of p1");
}

TEST_F(DeviceJournalTest, AgeAndSizeAreBounded) {
  limits_.max_age_s = 3600;
  journal_->set_limits(limits_);
  for (int i = 0; i < 100; ++i) journal_->record(event("dev1", Action::kOnline));
  EXPECT_EQ(log("dev1").size(), 100U);
  clock_.advance(3'700'000);
  journal_->record(event("dev1", Action::kOffline));
  for (int i = 0; i < 200 && log("dev1").size() > 1; ++i) {
    clock_.advance(11'000);
    ::usleep(5000);
  }
  EXPECT_EQ(log("dev1").size(), 1U);

  limits_ = {0, 0, 1 << 20, 100};
  journal_->set_limits(limits_);
  for (int i = 0; i < 20'000; ++i) {
    Event online = event("many" + std::to_string(i % 500), Action::kOnline);
    online.facts.assign(150, 'x');
    journal_->record(std::move(online));
    if (i % 5000 == 0) log("dev1");  // so that the queue does not overflow
  }
  log("dev1");
  for (int i = 0; i < 300 && std::filesystem::file_size(folder_.file()) > (3 << 19); ++i) {
    clock_.advance(11'000);
    log("dev1");
  }
  EXPECT_LE(std::filesystem::file_size(folder_.file()), static_cast<std::uintmax_t>(3 << 19));
  EXPECT_FALSE(log("many499").empty());  // the newest are there
}

TEST_F(DeviceJournalTest, PagesGoBackInTime) {
  for (int i = 0; i < 25; ++i) {
    Event online = event("dev1", Action::kOnline);
    online.reason = std::to_string(i);
    journal_->record(std::move(online));
  }
  LogQuery query;
  query.limit = 10;
  auto page = journal_->read_log({"pk", "dev1"}, query);
  ASSERT_TRUE(page);
  EXPECT_TRUE(page->more);
  EXPECT_EQ(page->entries.front().reason, "15");
  query.before_id = page->entries.front().id;
  page = journal_->read_log({"pk", "dev1"}, query);
  EXPECT_EQ(page->entries.back().reason, "14");
  query.before_id = page->entries.front().id;
  page = journal_->read_log({"pk", "dev1"}, query);
  EXPECT_EQ(page->entries.size(), 5U);
  EXPECT_FALSE(page->more);
}

TEST_F(DeviceJournalTest, HostileTextIsMadePrintableAndCut) {
  Event denied = event("dev1", Action::kPublishDenied);
  denied.subject = std::string("a\0\x1b[31m\xff", 9) + std::string(5000, 'b');
  journal_->record(std::move(denied));
  const auto entries = log("dev1");
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_LE(entries[0].subject.size(), 4 * kSubjectBytesMax);
  EXPECT_EQ(entries[0].subject.find('\x1b'), std::string::npos);
}

TEST_F(DeviceJournalTest, ADamagedFileIsPutAside) {
  journal_->record(event("dev1", Action::kOnline));
  journal_.reset();
  for (const char* companion : {"-wal", "-shm"}) std::filesystem::remove(folder_.file().string() + companion);
  std::ofstream(folder_.file(), std::ios::trunc) << std::string(10'000, 'x');
  open();
  journal_->record(event("dev1", Action::kOffline));
  EXPECT_EQ(log("dev1").size(), 1U);
  EXPECT_TRUE(std::filesystem::exists(folder_.file().string() + ".damaged"));
}

TEST_F(DeviceJournalTest, DamageThatShowsLaterIsPutAsideToo) {
  damage_what_opening_does_not_read();
  EXPECT_FALSE(std::filesystem::exists(folder_.file().string() + ".damaged")) << "it does not show yet";
  const auto is_there = [&] {
    const auto page = journal_->read_log({"pk", "dev1"}, {});
    return page && !page->entries.empty();
  };
  for (int i = 0; i < 100 && !is_there(); ++i) {
    journal_->record(event("dev1", Action::kOffline));
    ::usleep(20'000);
  }
  EXPECT_TRUE(is_there());
  EXPECT_TRUE(std::filesystem::exists(folder_.file().string() + ".damaged"));
}

// Readers told of the damage again while the new file was made; that one was put aside then, over the damaged one.
TEST_F(DeviceJournalTest, AFileThatManyFindDamagedIsPutAsideOnce) {
  for (int round = 0; round < 20; ++round) {
    damage_what_opening_does_not_read();
    std::vector<std::thread> readers;
    for (int i = 0; i < 8; ++i) {
      readers.emplace_back([&] {
        for (int k = 0; k < 20; ++k) journal_->read_log({"pk", "dev1"}, {});
      });
    }
    for (std::thread& reader : readers) reader.join();
    journal_->record(event("dev1", Action::kOffline));
    ASSERT_EQ(log("dev1").size(), 1U);
    ASSERT_TRUE(damaged_one_is_aside()) << "round " << round;
  }
}

// When there could be no new file, it was put aside with the next batch, over the damaged one.
TEST_F(DeviceJournalTest, WhatWasPutAsideStaysWhileThereCanBeNoNewFile) {
  damage_what_opening_does_not_read();
  const auto previous = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit full = before;
  full.rlim_cur = 4096;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(journal_->read_log({"pk", "dev1"}, {}));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, previous);
  journal_->record(event("dev1", Action::kOffline));
  EXPECT_EQ(log("dev1").size(), 1U);
  EXPECT_TRUE(damaged_one_is_aside());
}

// A limit on the size of files stands in for the full disk: writing fails in the same place.
TEST_F(DeviceJournalTest, AFullDiskCostsEntriesAndNothingElse) {
  const auto previous = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  journal_->record(event("dev1", Action::kOnline));
  EXPECT_EQ(log("dev1").size(), 1U);
  rlimit full = before;
  full.rlim_cur = 64 << 10;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
  for (int i = 0; i < 2000; ++i) journal_->record(event("many" + std::to_string(i), Action::kOnline));
  for (int i = 0; i < 200 && journal_->counters().lost == 0; ++i) ::usleep(20'000);
  EXPECT_GT(journal_->counters().lost, 0U);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, previous);
  journal_->record(event("dev1", Action::kOffline));
  const auto entries = log("dev1");
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[1].action, Action::kOffline);
  EXPECT_FALSE(std::filesystem::exists(folder_.file().string() + ".damaged"));
}

TEST_F(DeviceJournalTest, AFileIsReadWithoutAServer) {
  journal_->record(event("dev1", Action::kOnline));
  journal_.reset();
  auto reader = open_journal_reader(folder_.file());
  ASSERT_TRUE(reader && *reader);
  auto page = (*reader)->read_log({"pk", "dev1"}, {});
  ASSERT_TRUE(page);
  EXPECT_EQ(page->entries.size(), 1U);
  const auto none = open_journal_reader(folder_.file().parent_path() / "nothing.db");
  ASSERT_TRUE(none);
  EXPECT_EQ(*none, nullptr);
  open();
}

// With more devices than there were merges, every repeat was a row of its own, and every one asked the registry.
TEST_F(DeviceJournalTest, AStormOfManyDevicesIsMergedAndAsksOnce) {
  constexpr int kDevices = 22'000;
  constexpr int kRounds = 2;  // all of it fits into the queue
  examiner_.knows_all = true;
  for (int i = 0; i < kRounds * kDevices; ++i) {
    Event refused = refusal("dev" + std::to_string(i % kDevices), "");
    refused.attempt = nullptr;
    journal_->record(std::move(refused));
  }
  ASSERT_EQ(journal_->counters().dropped, 0U);
  reopen();  // when all is written
  for (const char* const device : {"dev0", "dev1", "dev21999"}) {
    const auto entries = log(device);
    ASSERT_EQ(entries.size(), 1U) << device;
    EXPECT_EQ(entries[0].count, static_cast<std::uint64_t>(kRounds)) << device;
  }
  EXPECT_LE(examiner_.asked, kDevices);
}

TEST_F(DeviceJournalTest, AStormIsCountedAndLeavesRoomForComingAndGoing) {
  for (int i = 0; i < 200'000; ++i) {
    Event one = refusal("dev1", "a");
    one.known = true;
    journal_->record(std::move(one));
  }
  journal_->record(event("dev2", Action::kOnline));
  EXPECT_EQ(log("dev2").size(), 1U);
  const JournalCounters counters = journal_->counters();
  EXPECT_EQ(counters.recorded + counters.dropped, 200'001U);
  const auto entries = log("dev1");
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].count, counters.recorded - 1);
}

}  // namespace
}  // namespace mooring::journal
