#include "web/event_hub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

namespace mooring::web {
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

class EventHubTest : public testing::Test {
 protected:
  void beat() {  // the loop's own time goes on in steps that its timers notice
    main->timers().advance(now_ms += 300);
    loop.run();
  }
  static EventHub::DeviceNote online(std::string name) {
    return {{"pk", std::move(name)}, journal::Action::kOnline, 1000, {}};
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
  std::optional<std::string> log = R"({"items":[{"id":1,"revision":7}],"revision":7})";
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

TEST_F(EventHubTest, of_a_burst_all_events_are_told_or_counted) {
  class SlowSink final : public http::EventSink {
   public:
    void write(std::string_view bytes) override { text += bytes; }
    std::size_t unsent_bytes() const override { return text.size() - taken; }
    void finish() override {}
    std::string text;
    std::size_t taken = 0;
  } slow;
  const auto reader = hub.open(devices(), "token t", loop, [] { return true; });
  reader->start(slow);
  for (std::size_t i = 0; i < EventHub::kDeviceEventsMax; ++i) {
    hub.note_device(online("sensor-with-a-name-that-is-as-long-as-names-become-in-the-field-" + std::to_string(i)));
  }
  beat();
  const auto count = [&](std::string_view word) {
    std::size_t found = 0;
    for (auto at = slow.text.find(word); at != std::string::npos; at = slow.text.find(word, at + 1)) ++found;
    return found;
  };
  const std::size_t told = count("event: device");
  EXPECT_GT(told, EventHub::kDeviceEventsMax / 2);
  ASSERT_LT(told, EventHub::kDeviceEventsMax);
  EXPECT_LE(slow.text.size(), EventHub::kUnsentBytesMax + 100);
  slow.taken = slow.text.size();
  beat();  // nothing happens, and what is missing is told all the same
  constexpr std::string_view kDropped = "\"dropped\":";
  std::size_t missing = 0;
  for (auto at = slow.text.find(kDropped); at != std::string::npos; at = slow.text.find(kDropped, at + 1)) {
    missing += std::stoul(slow.text.substr(at + kDropped.size()));
  }
  EXPECT_EQ(count("event: device"), told);
  EXPECT_EQ(told + missing, EventHub::kDeviceEventsMax);
  reader->ended();
}

TEST_F(EventHubTest, comments_are_no_events) {
  Sink sink;
  const auto reader = open(sink, {});
  sink.unsent = EventHub::kUnsentBytesMax;
  for (int i = 0; i < 120; ++i) beat();
  sink.unsent = 0;
  hub.tell_statistics("{}");
  loop.run();
  EXPECT_THAT(sink.text, Not(HasSubstr("gap")));
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
  log = R"({"items":[{"id":1,"revision":9},{"id":2,"revision":8}],"revision":9})";
  hub.note_device(online("other"));
  hub.note_device(online("dev1"));
  beat();
  ASSERT_EQ(asked.size(), 2U);
  EXPECT_EQ(asked[1], (std::pair<std::string, std::int64_t>{"dev1", 7}));
  EXPECT_THAT(sink.text, HasSubstr("id: 8\nevent: log\ndata: {\"id\":2,\"revision\":8}\n\n"
                                   "id: 9\nevent: log\ndata: {\"id\":1,\"revision\":9}\n\n"));
  reader->ended();
}

TEST_F(EventHubTest, who_comes_back_gets_what_the_log_has_behind_what_was_seen) {
  Sink sink;
  const auto reader = open(sink, {false, false, true, "pk", "dev1", 5});
  beat();
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(asked[0].second, 5);
  EXPECT_THAT(sink.text, HasSubstr("id: 7\nevent: log\n"));
  EXPECT_THAT(sink.text, Not(HasSubstr("gap")));
  reader->ended();
}

TEST_F(EventHubTest, what_cannot_be_made_up_for_is_a_gap) {
  Sink more, anew;
  const auto a = open(more, {false, false, true, "pk", "dev1", 5});
  log = R"({"items":[{"id":1,"revision":7}],"revision":7,"nextCursor":"1"})";
  beat();
  EXPECT_THAT(more.text, HasSubstr("event: gap\ndata: {\"dropped\":1}\n\nid: 7\n")) << "more than a page";
  const auto b = open(anew, {false, false, true, "pk", "dev1", 500});
  log = R"({"items":[],"revision":7})";
  beat();
  EXPECT_THAT(anew.text, HasSubstr("event: gap")) << "a log that began anew";
  for (const auto& reader : {a, b}) reader->ended();
}

// The reader asked for the log as soon as its stream began, and the log's first answer comes later.
TEST_F(EventHubTest, what_comes_before_a_log_can_be_followed_is_a_gap) {
  Sink sink;
  const auto reader = open(sink, {false, false, true, "pk", "dev1"});
  hub.note_device(online("dev1"));
  beat();
  EXPECT_THAT(sink.text, HasSubstr("event: gap\ndata: {\"dropped\":1}\n\n"));
  EXPECT_THAT(sink.text, Not(HasSubstr("event: log")));
  reader->ended();
}

TEST_F(EventHubTest, a_log_that_could_not_be_read_is_read_again) {
  Sink sink;
  const auto reader = open(sink, {false, false, true, "pk", "dev1"});
  beat();
  log.reset();
  hub.note_device(online("dev1"));
  beat();
  EXPECT_EQ(asked.size(), 2U);
  log = R"({"items":[{"id":2,"revision":9}],"revision":9})";
  for (int i = 0; i < 20; ++i) beat();
  EXPECT_EQ(asked.size(), 3U);
  EXPECT_THAT(sink.text, HasSubstr("id: 9\nevent: log\ndata: {\"id\":2,\"revision\":9}\n\n"));
  reader->ended();
}

TEST_F(EventHubTest, what_is_done_to_devices_is_told) {
  Sink sink, one;
  const auto a = open(sink, devices()), b = open(one, devices("other"));
  using Kind = registry::Change::Kind;
  const auto change = [](Kind kind, std::optional<registry::DeviceStatus> status) {
    return registry::Change{.kind = kind, .key = {"pk", "dev1"}, .status = status};
  };
  const std::vector<registry::Change> changes{change(Kind::kDeviceEnabled, registry::DeviceStatus::kOffline),
                                              change(Kind::kDeviceDeleted, {}), change(Kind::kDeviceCreated, {})};
  hub.note_changes(changes);
  beat();
  EXPECT_THAT(sink.text, HasSubstr("\"status\":\"OFFLINE\""));
  EXPECT_THAT(sink.text, HasSubstr("\"change\":\"enabled\""));
  EXPECT_THAT(sink.text, HasSubstr("\"status\":\"DELETED\""));
  EXPECT_THAT(one.text, Not(HasSubstr("dev1")));
  for (const auto& reader : {a, b}) reader->ended();
}

TEST_F(EventHubTest, devices_that_go_with_their_product_are_a_gap) {
  Sink sink;
  const auto reader = open(sink, devices());
  using Kind = registry::Change::Kind;
  std::vector<registry::Change> changes(3, registry::Change{.kind = Kind::kDeviceDeleted, .key = {"pk", "dev1"}});
  changes.push_back({Kind::kProductDeleted, {"pk", {}}});
  hub.note_changes(changes);
  beat();
  EXPECT_THAT(sink.text, HasSubstr("event: gap\ndata: {\"dropped\":3}"));
  EXPECT_THAT(sink.text, Not(HasSubstr("event: device")));
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

}  // namespace
}  // namespace mooring::web
