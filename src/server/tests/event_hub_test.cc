#include "server/event_hub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

namespace mooring::server {
namespace {

using testing::HasSubstr;
using testing::Not;

class Tasks final : public base::Executor {
 public:
  void post(base::Task task) override { waiting.push_back(std::move(task)); }
  void run() {
    while (!waiting.empty()) {
      base::Task task = std::move(waiting.front());
      waiting.pop_front();
      task();
    }
  }
  std::deque<base::Task> waiting;
};

class Sink final : public http::EventSink {
 public:
  void write(std::string_view bytes) override { text += bytes; }
  std::size_t unsent_bytes() const override { return unsent; }
  void finish() override { finished = true; }
  std::string text;
  std::size_t unsent = 0;
  bool finished = false;
};

class Nowhere final : public journal::DeviceLog {
 public:
  void record(journal::Event) override { ++events; }
  int events = 0;
};

class EventHubTest : public testing::Test {
 protected:
  void beat() {  // the loop's own time goes on in steps that its timers notice
    main->timers().advance(now_ms += 300);
    loop.run();
  }
  static journal::Event online(std::string name) {
    journal::Event event;
    event.device = {"pk", std::move(name)};
    event.action = journal::Action::kOnline;
    event.at_ms = 1000;
    return event;
  }
  std::shared_ptr<http::ResponseStream> open(Sink& sink, EventHub::Wanted wanted) {
    auto reader = hub.open(std::move(wanted), "token t", loop, [this] { return may_go_on; });
    if (reader != nullptr) reader->start(sink);
    return reader;
  }
  static EventHub::Wanted devices(std::string name = {}) { return {false, true, false, {}, std::move(name)}; }

  std::unique_ptr<net::Loop> main = *net::Loop::create();
  base::MonoMs now_ms = main->now_ms();
  Tasks loop;
  bool may_go_on = true;
  EventHub hub{*main, [this](const base::DeviceKey& device, std::int64_t after, base::Executor& executor,
                             EventHub::LogDone done) {
                 asked.push_back({device.device_name, after});
                 executor.post([this, done = std::move(done)]() mutable { done(log); });
               }};
  std::vector<std::pair<std::string, std::int64_t>> asked;
  std::optional<std::string> log = R"({"items":[{"id":1}],"revision":7})";
};

TEST_F(EventHubTest, readers_get_what_they_asked_for) {
  Sink statistics, all, one;
  const auto a = open(statistics, {}), b = open(all, devices()), c = open(one, devices("dev2"));
  hub.note_device(online("dev1"));
  hub.tell_statistics("{\"connections\":1}");
  beat();
  EXPECT_THAT(statistics.text, HasSubstr("event: statistics\ndata: {\"connections\":1}\n\n"));
  EXPECT_THAT(statistics.text, Not(HasSubstr("event: device")));
  EXPECT_THAT(all.text,
              HasSubstr("\"deviceName\":\"dev1\",\"status\":\"ONLINE\",\"time\":\"1970-01-01T00:00:01.000Z\""));
  EXPECT_THAT(one.text, Not(HasSubstr("dev1")));
  for (const auto& reader : {a, b, c}) reader->ended();
  const std::string before = all.text;
  hub.note_device(online("dev1"));
  beat();
  EXPECT_EQ(all.text, before);
}

TEST_F(EventHubTest, who_does_not_read_is_told_what_is_missing) {
  Sink sink;
  const auto reader = open(sink, {});
  sink.unsent = EventHub::kUnsentBytesMax;
  for (int i = 0; i < 3; ++i) hub.tell_statistics("{}");
  loop.run();
  EXPECT_THAT(sink.text, Not(HasSubstr("event:")));
  sink.unsent = 0;
  hub.tell_statistics("{}");
  loop.run();
  EXPECT_THAT(sink.text, HasSubstr("event: gap\ndata: {\"dropped\":3}\n\nevent: statistics\n"));
  reader->ended();
}

TEST_F(EventHubTest, a_loop_that_does_not_come_to_it_is_not_flooded) {
  Sink sink;
  const auto reader = open(sink, {});
  for (std::uint32_t i = 0; i < EventHub::kPostedMax + 10; ++i) hub.tell_statistics("{}");
  EXPECT_EQ(loop.waiting.size(), EventHub::kPostedMax);
  loop.run();
  EXPECT_THAT(sink.text, HasSubstr("\"dropped\":10"));
  reader->ended();
}

TEST_F(EventHubTest, more_device_events_than_a_beat_holds_are_a_gap) {
  Sink sink;
  const auto reader = open(sink, devices("dev1"));
  for (std::size_t i = 0; i < EventHub::kDeviceEventsMax + 5; ++i) hub.note_device(online(i == 0 ? "dev1" : "other"));
  beat();
  EXPECT_THAT(sink.text, HasSubstr("event: gap\ndata: {\"dropped\":5}"));
  EXPECT_THAT(sink.text, HasSubstr("dev1"));
  reader->ended();
}

TEST_F(EventHubTest, a_log_is_followed_from_where_it_was) {
  Sink sink;
  const auto reader = open(sink, {false, false, true, "pk", "dev1"});
  beat();
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_THAT(sink.text, Not(HasSubstr("event: log"))) << "what was there before is not told";
  beat();
  EXPECT_EQ(asked.size(), 1U) << "nothing has happened";
  log = R"({"items":[{"id":2},{"id":3}],"revision":9})";
  EXPECT_FALSE(hub.note_device(online("other")));
  EXPECT_TRUE(hub.note_device(online("dev1")));
  beat();
  EXPECT_EQ(asked.size(), 1U) << "the log does not have it yet";
  hub.note_recorded({"pk", "dev1"});
  beat();
  ASSERT_EQ(asked.size(), 2U);
  EXPECT_EQ(asked[1], (std::pair<std::string, std::int64_t>{"dev1", 7}));
  EXPECT_THAT(sink.text, HasSubstr("event: log\ndata: {\"id\":2}\n\nevent: log\ndata: {\"id\":3}\n\n"));
  reader->ended();
}

// The reader asked for the log as soon as its stream began, and the log's first answer comes later.
TEST_F(EventHubTest, what_comes_before_a_log_can_be_followed_is_a_gap) {
  Sink sink;
  const auto reader = open(sink, {false, false, true, "pk", "dev1"});
  hub.note_device(online("dev1"));
  hub.note_recorded({"pk", "dev1"});
  beat();
  EXPECT_THAT(sink.text, HasSubstr("event: gap\ndata: {\"dropped\":1}\n\n"));
  EXPECT_THAT(sink.text, Not(HasSubstr("event: log")));
  reader->ended();
}

TEST_F(EventHubTest, more_entries_than_an_answer_holds_are_a_gap) {
  Sink sink;
  const auto reader = open(sink, {false, false, true, "pk", "dev1"});
  beat();
  log = R"({"items":[{"id":2}],"revision":9,"nextCursor":"2"})";
  hub.note_recorded({"pk", "dev1"});
  beat();
  EXPECT_THAT(sink.text, HasSubstr("event: gap\ndata: {\"dropped\":1}\n\nevent: log\ndata: {\"id\":2}\n\n"));
  reader->ended();
}

TEST_F(EventHubTest, a_log_that_could_not_be_read_is_read_again) {
  Sink sink;
  const auto reader = open(sink, {false, false, true, "pk", "dev1"});
  beat();
  log.reset();
  hub.note_recorded({"pk", "dev1"});
  beat();
  EXPECT_EQ(asked.size(), 2U);
  log = R"({"items":[{"id":2}],"revision":9})";
  for (int i = 0; i < 20; ++i) beat();
  EXPECT_EQ(asked.size(), 3U);
  EXPECT_THAT(sink.text, HasSubstr("event: log\ndata: {\"id\":2}\n\n"));
  reader->ended();
}

TEST_F(EventHubTest, whoever_may_not_listen_any_more_is_ended) {
  Sink sink;
  const auto reader = open(sink, {});
  may_go_on = false;
  for (int i = 0; i < 20; ++i) beat();
  EXPECT_TRUE(sink.finished);
  reader->ended();
}

TEST_F(EventHubTest, readers_are_bounded) {
  std::vector<std::shared_ptr<http::ResponseStream>> readers;
  Sink sink;
  for (std::size_t i = 0; i < EventHub::kReadersPerCallerMax; ++i) readers.push_back(open(sink, {}));
  EXPECT_EQ(open(sink, {}), nullptr);
  EXPECT_NE(hub.open({}, "another", loop, [] { return true; }), nullptr);
  readers.front()->ended();
  EXPECT_NE(open(sink, {}), nullptr);
}

TEST(LiveLog, refusals_are_counted_by_their_cause_and_passed_on) {
  Nowhere next;
  LiveLog log(next);
  using journal::Action;
  for (const Action action : {Action::kRefused, Action::kRefused, Action::kOnline}) {
    journal::Event event;
    event.action = action;
    event.name = "wrong-signature";
    log.record(std::move(event));
  }
  EXPECT_EQ(next.events, 3);
  EXPECT_EQ(log.refusals(), (std::vector<std::pair<std::string, std::uint64_t>>{{"wrong-signature", 2}}));
}

}  // namespace
}  // namespace mooring::server
