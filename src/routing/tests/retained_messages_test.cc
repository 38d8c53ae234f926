#include "routing/retained_messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <string>
#include <thread>

#include "mqtt/topic.h"

namespace mooring::routing {
namespace {

using mqtt::Message;
using mqtt::MessageRef;
using testing::ElementsAre;
using testing::IsEmpty;
using Change = RetainedMessages::Change;
using Limits = RetainedMessages::Limits;

constexpr Limits kUnlimited{0, 0, 0};

MessageRef message(std::string_view topic, std::string_view payload = "x", base::WallMs expires_at_ms = 0) {
  mqtt::MessageFields fields;
  fields.retain = true;
  fields.expires_at_ms = expires_at_ms;
  return Message::create(topic, {reinterpret_cast<const std::uint8_t*>(payload.data()), payload.size()}, fields);
}

std::vector<std::string> topics_of(const std::vector<MessageRef>& messages) {
  std::vector<std::string> topics;
  for (const MessageRef& each : messages) topics.emplace_back(each->topic());
  return topics;
}

std::vector<std::string> selected(const RetainedMessages& retained, std::string_view filter, base::WallMs now = 0) {
  std::vector<MessageRef> out;
  EXPECT_FALSE(retained.match(filter, "", 1'000'000, now, out));
  return topics_of(out);
}

Change set(RetainedMessages& retained, std::string_view topic, std::string_view payload = "x",
           base::WallMs expires_at_ms = 0) {
  return retained.set(message(topic, payload, expires_at_ms), {});
}

std::string repeated(std::string_view first, std::string_view more, std::size_t times) {
  std::string text(first);
  for (std::size_t i = 0; i < times; ++i) text += more;
  return text;
}

// [MQTT-3.3.1-5, -6, -7]
TEST(RetainedMessages, TheLastMessageOfATopic) {
  RetainedMessages retained(kUnlimited);
  EXPECT_EQ(set(retained, "a/b", ""), Change::kNothing);
  EXPECT_EQ(set(retained, "a/b", "1"), Change::kStored);
  EXPECT_EQ(set(retained, "a/b", "22"), Change::kStored);
  EXPECT_EQ(retained.size(), 1U);
  std::vector<MessageRef> out;
  EXPECT_FALSE(retained.match("a/b", "", 10, 0, out));
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0]->payload().size(), 2U);
  EXPECT_EQ(retained.bytes(), out[0]->memory_bytes());
  EXPECT_EQ(set(retained, "a/b", ""), Change::kRemoved);
  EXPECT_EQ(set(retained, "a/b", ""), Change::kNothing);
  EXPECT_EQ(retained.size(), 0U);
  EXPECT_EQ(retained.bytes(), 0U);
  EXPECT_EQ(out[0]->topic(), "a/b") << "what was given out stays";
}

TEST(RetainedMessages, ChangesAreToldInTheirOrder) {
  RetainedMessages retained({1, 0, 0});
  std::vector<std::string> told;
  const RetainedMessages::Persist persist = [&told](const MessageRef& changed, bool removed) {
    told.push_back((removed ? "-" : "+") + std::string(changed->topic()));
  };
  EXPECT_EQ(retained.set(message("a"), persist), Change::kStored);
  EXPECT_EQ(retained.set(message("b"), persist), Change::kFull);
  EXPECT_EQ(retained.set(message("b", ""), persist), Change::kNothing);
  EXPECT_EQ(retained.set(message("a", "2"), persist), Change::kStored);
  EXPECT_EQ(retained.set(message("a", ""), persist), Change::kRemoved);
  EXPECT_EQ(retained.set(message("b"), persist), Change::kStored);
  EXPECT_THAT(told, ElementsAre("+a", "+a", "-a", "+b"));
}

TEST(RetainedMessages, Bounds) {
  const std::size_t one = message("a", "12345")->memory_bytes();
  RetainedMessages retained({3, 2 * one, 10});
  EXPECT_EQ(set(retained, "a", "12345678901"), Change::kFull) << "payload";
  EXPECT_EQ(set(retained, "a", "12345"), Change::kStored);
  EXPECT_EQ(set(retained, "b", "123456"), Change::kFull) << "bytes";
  EXPECT_EQ(set(retained, "b", "12345"), Change::kStored);
  EXPECT_EQ(set(retained, "a", "123456"), Change::kFull);
  EXPECT_EQ(set(retained, "a", "123"), Change::kStored) << "a smaller one in its place";
  EXPECT_EQ(set(retained, "a", "12345"), Change::kStored);
  retained.set_limits({3, 1, 10});
  EXPECT_EQ(set(retained, "a", "54321"), Change::kStored) << "not larger than what is there";
  EXPECT_EQ(set(retained, "a", "543210"), Change::kFull);
  retained.set_limits({2, 0, 0});
  EXPECT_EQ(set(retained, "c"), Change::kFull) << "messages";
  EXPECT_EQ(set(retained, "a", "a longer one than ten bytes"), Change::kStored);
  EXPECT_EQ(set(retained, "a", ""), Change::kRemoved);
  EXPECT_EQ(set(retained, "c"), Change::kStored);
  EXPECT_THAT(selected(retained, "#"), ElementsAre("b", "c"));
}

TEST(RetainedMessages, Wildcards) {
  RetainedMessages retained(kUnlimited);
  for (const char* topic : {"a", "a/b", "a/b/c", "a-", "a-/b", "a/", "/a", "/", "b/b/c", "b/x/c", "b/b/d"}) {
    set(retained, topic);
  }
  EXPECT_THAT(selected(retained, "#"),
              ElementsAre("/", "/a", "a", "a/", "a/b", "a/b/c", "a-", "a-/b", "b/b/c", "b/b/d", "b/x/c"));
  EXPECT_THAT(selected(retained, "a/#"), ElementsAre("a", "a/", "a/b", "a/b/c"));
  EXPECT_THAT(selected(retained, "+"), ElementsAre("a", "a-"));
  EXPECT_THAT(selected(retained, "+/b"), ElementsAre("a/b", "a-/b"));
  EXPECT_THAT(selected(retained, "/+"), ElementsAre("/", "/a"));
  EXPECT_THAT(selected(retained, "+/+"), ElementsAre("/", "/a", "a/", "a/b", "a-/b"));
  EXPECT_THAT(selected(retained, "b/+/c"), ElementsAre("b/b/c", "b/x/c"));
  EXPECT_THAT(selected(retained, "+/+/#"),
              ElementsAre("/", "/a", "a/", "a/b", "a/b/c", "a-/b", "b/b/c", "b/b/d", "b/x/c"));
  EXPECT_THAT(selected(retained, "b/b/c"), ElementsAre("b/b/c"));
  EXPECT_THAT(selected(retained, "b/b"), IsEmpty());
  EXPECT_THAT(selected(retained, "c/#"), IsEmpty());
}

// [MQTT-4.7.2-1]
TEST(RetainedMessages, DollarTopicsAreHiddenFromLeadingWildcards) {
  RetainedMessages retained(kUnlimited);
  for (const char* topic : {"#x", "$SYS/a", "$SYS/b/c", "$", "%", "a/$x", "/x"}) set(retained, topic);
  EXPECT_THAT(selected(retained, "#"), ElementsAre("/x", "#x", "%", "a/$x"));
  EXPECT_THAT(selected(retained, "+/+"), ElementsAre("/x", "a/$x"));
  EXPECT_THAT(selected(retained, "$SYS/#"), ElementsAre("$SYS/a", "$SYS/b/c"));
  EXPECT_THAT(selected(retained, "$SYS/+"), ElementsAre("$SYS/a"));
}

TEST(RetainedMessages, DeepestTopics) {
  const std::string slashes(65'535, '/');
  const std::string words = repeated("a", "/a", 32'767);
  const std::string other = words.substr(0, words.size() - 1) + "b";
  RetainedMessages retained(kUnlimited);
  for (const std::string& topic : {slashes, words, other}) set(retained, topic);
  EXPECT_THAT(selected(retained, "#"), ElementsAre(slashes, words, other));
  EXPECT_THAT(selected(retained, repeated("+", "/+", 32'767)), ElementsAre(words, other));
  EXPECT_THAT(selected(retained, repeated("+", "/+", 32'766) + "/b"), ElementsAre(other));
  EXPECT_THAT(selected(retained, repeated("+", "/+", 32'765) + "/#"), ElementsAre(slashes, words, other));
  EXPECT_THAT(selected(retained, slashes.substr(1) + "#"), ElementsAre(slashes));
  EXPECT_EQ(set(retained, words, ""), Change::kRemoved);
  EXPECT_THAT(selected(retained, words.substr(0, words.size() - 1) + "+"), ElementsAre(other));
}

// MQTT 5 section 3.3.2.3.3
TEST(RetainedMessages, ExpiredMessagesAreNotGivenOutAndGo) {
  RetainedMessages retained(kUnlimited);
  set(retained, "a", "x", 300);
  set(retained, "b");
  set(retained, "c", "x", 100);
  set(retained, "d", "x", 200);
  set(retained, "e", "x", 100);
  set(retained, "e", "x", 900);  // takes its place, and lives longer
  set(retained, "f", "x", 100);
  set(retained, "f", "");
  EXPECT_THAT(selected(retained, "+", 99), ElementsAre("a", "b", "c", "d", "e"));
  EXPECT_THAT(selected(retained, "+", 100), ElementsAre("a", "b", "d", "e"));
  EXPECT_EQ(retained.size(), 5U);

  std::vector<std::string> removed;
  const auto told = [&removed](std::string_view topic) { removed.emplace_back(topic); };
  EXPECT_EQ(retained.remove_expired(99, 10, told), 0U);
  EXPECT_EQ(retained.remove_expired(300, 2, told), 2U);
  EXPECT_THAT(removed, ElementsAre("c", "d"));
  EXPECT_EQ(retained.remove_expired(300, 2, told), 1U);
  EXPECT_EQ(retained.remove_expired(300, 2, {}), 0U);
  EXPECT_EQ(retained.size(), 2U);
  EXPECT_EQ(retained.bytes(), message("b")->memory_bytes() + message("e")->memory_bytes());
  EXPECT_EQ(retained.remove_expired(1000, 2, {}), 1U);
  EXPECT_THAT(selected(retained, "#", 1000), ElementsAre("b"));
}

TEST(RetainedMessages, WorkOfOneCallIsBounded) {
  constexpr std::size_t kTopics = 10'000;
  RetainedMessages retained(kUnlimited);
  for (std::size_t i = 0; i < kTopics; ++i) set(retained, std::to_string(i) + "/y");
  set(retained, "777/x");
  std::string after;
  std::vector<MessageRef> out;
  std::size_t calls = 1;
  while (retained.match_some("+/x", after, 100, 50, 0, out)) {
    calls += 1;
    ASSERT_LE(calls, 2 * kTopics);
  }
  EXPECT_THAT(topics_of(out), ElementsAre("777/x"));
  EXPECT_GE(calls, kTopics / 50);
  EXPECT_LE(calls, kTopics / 50 + 10);

  // What a literal level excludes costs nothing.
  after.clear();
  out.clear();
  EXPECT_FALSE(retained.match_some("777/+", after, 100, 10, 0, out));
  EXPECT_EQ(out.size(), 2U);
  after.clear();
  out.clear();
  EXPECT_TRUE(retained.match_some("#", after, 100, 0, 0, out));
  EXPECT_THAT(topics_of(out), ElementsAre("0/y")) << "at least one";
  EXPECT_EQ(after, "0/y");
}

class Model {
 public:
  explicit Model(std::mt19937& random) : random_(random) {}

  // Few distinct words, so that matches are frequent; bytes on both sides of '/' and '$' and beyond ASCII.
  std::string path(bool filter) {
    static const std::vector<std::string> kWords{"a", "b", "", "$x", "a-", "a0", "\xC3\xA9", "a-long-level-name", "%"};
    std::string path;
    const int levels = std::uniform_int_distribution(1, 5)(random_);
    for (int i = 0; i < levels; ++i) {
      if (i > 0) path += '/';
      const auto kind = random_() % 10;
      if (filter && kind == 0 && i == levels - 1) {
        path += '#';
      } else if (filter && kind < 4) {
        path += '+';
      } else {
        path += kWords[random_() % kWords.size()];
      }
    }
    return path.empty() ? "/" : path;
  }

  void change(RetainedMessages& retained) {
    const std::string topic = path(false);
    if (random_() % 4 == 0) {
      const Change expected = messages_.erase(levels_of(topic)) > 0 ? Change::kRemoved : Change::kNothing;
      ASSERT_EQ(set(retained, topic, ""), expected) << topic;
    } else {
      const auto expires = static_cast<base::WallMs>(random_() % 3 == 0 ? 1 + random_() % 100 : 0);
      messages_[levels_of(topic)] = {topic, expires};
      ASSERT_EQ(set(retained, topic, "x", expires), Change::kStored) << topic;
    }
    ASSERT_EQ(retained.size(), messages_.size());
  }

  std::vector<std::string> select(const std::string& filter, base::WallMs now) const {
    std::vector<std::string> topics;
    for (const auto& [levels, kept] : messages_) {
      const bool alive = kept.expires == 0 || kept.expires > now;
      if (alive && mqtt::matches(filter, kept.topic)) topics.push_back(kept.topic);
    }
    return topics;
  }

  std::vector<std::string> topics() const {
    std::vector<std::string> topics;
    for (const auto& [levels, kept] : messages_) topics.push_back(kept.topic);
    return topics;
  }

  static std::vector<std::string> levels_of(std::string_view topic) {
    std::vector<std::string> levels;
    mqtt::LevelIterator each(topic);
    for (std::string_view level; each.next(level);) levels.emplace_back(level);
    return levels;
  }

 private:
  struct Kept {
    std::string topic;
    base::WallMs expires = 0;
  };
  std::mt19937& random_;
  std::map<std::vector<std::string>, Kept> messages_;  // in the order promised
};

// Pages of every size, and beginning behind every topic, whether it is there or not.
void expect_same_pages(const RetainedMessages& retained, const Model& model, const std::string& filter,
                       base::WallMs now) {
  const std::vector<std::string> expected = model.select(filter, now);
  for (const std::size_t page :
       {std::size_t{1}, std::size_t{2}, std::size_t{7}, expected.size(), expected.size() + 1}) {
    if (page == 0) continue;
    std::vector<MessageRef> out;
    while (retained.match(filter, out.empty() ? std::string() : std::string(out.back()->topic()), page, now, out)) {
      ASSERT_EQ(out.size() % page, 0U) << "a page is full when there is more";
      ASSERT_LT(out.size(), expected.size()) << filter;
    }
    ASSERT_EQ(topics_of(out), expected) << filter << " in pages of " << page;
  }
  for (const std::size_t visits : {std::size_t{1}, std::size_t{3}, std::size_t{20}}) {
    std::vector<MessageRef> out;
    std::string after;
    while (retained.match_some(filter, after, 2, visits, now, out)) ASSERT_LE(out.size(), expected.size()) << filter;
    ASSERT_EQ(topics_of(out), expected) << filter << " with " << visits << " visits";
  }
}

// Pages that begin behind every topic, and behind some that are not there.
void expect_resumes_anywhere(const RetainedMessages& retained, const Model& model, const std::string& filter,
                             const std::vector<std::string>& places) {
  constexpr std::size_t kPage = 4;
  using Levels = std::vector<std::string>;
  const std::vector<std::string> all = model.select(filter, 0);
  std::vector<Levels> levels;
  for (const std::string& topic : all) levels.push_back(Model::levels_of(topic));
  for (const std::string& after : places) {
    const auto begin = std::upper_bound(levels.begin(), levels.end(), Model::levels_of(after)) - levels.begin();
    const auto first = all.begin() + begin;
    const bool more = all.end() - first > static_cast<std::ptrdiff_t>(kPage);
    const std::vector<std::string> expected(first, more ? first + kPage : all.end());
    std::vector<MessageRef> out;
    ASSERT_EQ(retained.match(filter, after, kPage, 0, out), more) << filter << " behind " << after;
    ASSERT_EQ(topics_of(out), expected) << filter << " behind " << after;
  }
}

TEST(RetainedMessages, AgreesWithMatchingEveryTopic) {
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    RetainedMessages retained(kUnlimited);
    Model model(random);
    for (int step = 0; step < 600; ++step) {
      ASSERT_NO_FATAL_FAILURE(model.change(retained));
      if (step % 15 != 0) continue;
      const auto now = static_cast<base::WallMs>(random() % 100);
      ASSERT_NO_FATAL_FAILURE(expect_same_pages(retained, model, model.path(true), now)) << "seed " << seed;
      ASSERT_NO_FATAL_FAILURE(expect_resumes_anywhere(retained, model, model.path(true), {model.path(false)}));
    }
    ASSERT_EQ(selected(retained, "#", 0).size() + selected(retained, "$x/#", 0).size(), model.topics().size());
    for (int i = 0; i < 5; ++i) {
      const std::string filter = i == 0 ? "#" : model.path(true);
      ASSERT_NO_FATAL_FAILURE(expect_resumes_anywhere(retained, model, filter, model.topics())) << "seed " << seed;
    }
    for (const std::string& topic : model.topics()) ASSERT_EQ(set(retained, topic, ""), Change::kRemoved);
    ASSERT_EQ(retained.size(), 0U);
    ASSERT_EQ(retained.bytes(), 0U);
    ASSERT_EQ(retained.remove_expired(1000, 1000, {}), 0U) << "nothing of what is gone is left to expire";
  }
}

// Some threads set, remove and expire, others read page by page. A topic that nobody touches is always seen.
TEST(RetainedMessages, ReadersAndWritersOnManyThreads) {
  RetainedMessages retained({500, 0, 0});
  for (const char* topic : {"fixed/0", "fixed/5", "fixed/9"}) set(retained, topic);
  std::atomic<bool> stop{false};
  std::atomic<std::size_t> stored{0};
  std::atomic<std::size_t> gone{0};
  std::vector<std::thread> threads;
  for (std::uint32_t writer = 0; writer < 2; ++writer) {
    threads.emplace_back([&retained, &stored, &gone, writer] {
      std::mt19937 random(writer);
      for (int i = 0; i < 5000; ++i) {
        const std::string topic = "moving/" + std::to_string(random() % 100);
        const bool removing = random() % 3 == 0;
        const base::WallMs expires = random() % 4 == 0 ? 1 : 0;
        retained.set(message(topic, removing ? "" : "payload", expires), [&](const MessageRef&, bool removed) {
          (removed ? gone : stored).fetch_add(1, std::memory_order_relaxed);
        });
        if (i % 50 == 0) retained.remove_expired(1, 10, {});
      }
    });
  }
  for (int reader = 0; reader < 2; ++reader) {
    threads.emplace_back([&retained, &stop] {
      do {
        std::vector<MessageRef> out;
        std::string after;
        while (retained.match_some("+/+", after, 7, 20, 0, out)) {
        }
        const std::vector<std::string> topics = topics_of(out);
        ASSERT_EQ(std::count_if(topics.begin(), topics.end(), [](auto& topic) { return topic.starts_with("fixed/"); }),
                  3);
        ASSERT_TRUE(std::is_sorted(topics.begin(), topics.end())) << "one place for each topic";
      } while (!stop.load());
    });
  }
  threads[0].join();
  threads[1].join();
  stop.store(true);
  threads[2].join();
  threads[3].join();
  EXPECT_GT(stored.load(), 0U);
  EXPECT_GT(gone.load(), 0U);
}

}  // namespace
}  // namespace mooring::routing
