#include "routing/subscription_trie.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <tuple>

#include "mqtt/topic.h"
#include "routing/device_topic.h"

namespace mooring::routing {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

SubscriptionOptions qos(std::uint8_t value) {
  SubscriptionOptions options;
  options.qos = value;
  return options;
}

std::vector<SubscriberId> subscribers(const SubscriptionTrie& trie, std::string_view topic) {
  std::vector<Match> matches;
  trie.match(topic, matches);
  std::vector<SubscriberId> ids;
  for (const Match& match : matches) ids.push_back(match.subscriber);
  std::sort(ids.begin(), ids.end());
  return ids;
}

TEST(SubscriptionTrie, CountsSubscribersOfAFilter) {
  SubscriptionTrie trie;
  auto inserted = trie.insert("a/+", 7, qos(0));
  EXPECT_TRUE(inserted.new_entry);
  EXPECT_EQ(inserted.subscribers_of_filter, 1U);
  inserted = trie.insert("a/+", 3, qos(1));
  EXPECT_TRUE(inserted.new_entry);
  EXPECT_EQ(inserted.subscribers_of_filter, 2U);
  inserted = trie.insert("a/+", 7, qos(1));
  EXPECT_FALSE(inserted.new_entry);
  EXPECT_EQ(inserted.subscribers_of_filter, 2U);
  EXPECT_EQ(trie.subscribers_of("a/+"), 2U);
  EXPECT_EQ(trie.subscribers_of("a"), 0U);
  EXPECT_EQ(trie.filter_count(), 1U);
  EXPECT_EQ(trie.entry_count(), 2U);

  std::vector<Match> matches;
  trie.match("a/b", matches);
  EXPECT_THAT(matches, ElementsAre(Match{3, qos(1)}, Match{7, qos(1)}));

  auto erased = trie.erase("a/+", 9);
  EXPECT_FALSE(erased.existed);
  EXPECT_EQ(erased.subscribers_of_filter, 2U);
  EXPECT_FALSE(trie.erase("a/b", 7).existed);
  erased = trie.erase("a/+", 7);
  EXPECT_TRUE(erased.existed);
  EXPECT_EQ(erased.subscribers_of_filter, 1U);
  erased = trie.erase("a/+", 3);
  EXPECT_TRUE(erased.existed);
  EXPECT_EQ(erased.subscribers_of_filter, 0U);
  EXPECT_EQ(trie.node_count(), 0U);
}

TEST(SubscriptionTrie, KeepsEveryOption) {
  SubscriptionTrie trie;
  const SubscriptionOptions all{2, true, true, 268'435'455};
  const SubscriptionOptions some{1, false, true, 1};
  trie.insert("a/#", 1, all);
  trie.insert("a/b", 1, some);
  std::vector<Match> matches;
  trie.match("a/b", matches);
  EXPECT_THAT(matches, testing::UnorderedElementsAre(Match{1, all}, Match{1, some}));
  EXPECT_FALSE(trie.insert("a/#", 1, SubscriptionOptions{0, true, false, 0}).new_entry);
  matches.clear();
  trie.match("a", matches);
  EXPECT_THAT(matches, ElementsAre(Match{1, {0, true, false, 0}}));
}

TEST(SubscriptionTrie, Wildcards) {
  SubscriptionTrie trie;
  trie.insert("#", 1, qos(0));
  trie.insert("a/#", 2, qos(0));
  trie.insert("a/+/c", 3, qos(0));
  trie.insert("a/b/c", 4, qos(0));
  trie.insert("+", 5, qos(0));
  trie.insert("/+", 6, qos(0));
  trie.insert("+/+", 7, qos(0));
  EXPECT_THAT(subscribers(trie, "a/b/c"), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(subscribers(trie, "a"), ElementsAre(1, 2, 5));
  EXPECT_THAT(subscribers(trie, "/x"), ElementsAre(1, 6, 7));
  EXPECT_THAT(subscribers(trie, "a/"), ElementsAre(1, 2, 7));
  EXPECT_THAT(subscribers(trie, "/"), ElementsAre(1, 6, 7));
  EXPECT_THAT(subscribers(trie, "b/b/c"), ElementsAre(1));
}

TEST(SubscriptionTrie, DollarTopicsAreHiddenFromLeadingWildcards) {
  SubscriptionTrie trie;
  trie.insert("#", 1, qos(0));
  trie.insert("+/x", 2, qos(0));
  trie.insert("$SYS/#", 3, qos(0));
  trie.insert("$SYS/+", 4, qos(0));
  EXPECT_THAT(subscribers(trie, "$SYS/x"), ElementsAre(3, 4));
  EXPECT_THAT(subscribers(trie, "a/$x"), ElementsAre(1));
}

TEST(SubscriptionTrie, DeepestTopicsAndFilters) {
  const std::string plus = [] {
    std::string filter = "+";
    while (filter.size() < 65'533) filter += "/+";
    return filter;
  }();
  const std::string slashes(65'535, '/');
  const std::string literal = [] {
    std::string filter = "a";
    while (filter.size() < 65'533) filter += "/a";
    return filter;
  }();
  SubscriptionTrie trie;
  trie.insert(plus, 1, qos(0));
  trie.insert(slashes, 2, qos(0));
  trie.insert(literal, 3, qos(0));
  trie.insert("#", 4, qos(0));
  EXPECT_THAT(subscribers(trie, literal), ElementsAre(1, 3, 4));
  EXPECT_THAT(subscribers(trie, slashes), ElementsAre(2, 4));
  EXPECT_TRUE(trie.erase(plus, 1).existed);
  EXPECT_TRUE(trie.erase(slashes, 2).existed);
  EXPECT_EQ(trie.node_count(), 32'767U + 1U);
  // The rest is freed by the destructor, 32,767 levels deep.
}

// A filter or topic of few distinct words, so that matches are frequent.
std::string random_path(std::mt19937& random, bool filter) {
  static const std::vector<std::string> kWords{"a", "b", "", "pk", "dn", "sys", "$x", "a-long-level-name-of-a-topic"};
  std::string path;
  const int levels = std::uniform_int_distribution(1, 5)(random);
  for (int i = 0; i < levels; ++i) {
    if (i > 0) path += '/';
    const int kind = std::uniform_int_distribution(0, 9)(random);
    if (filter && kind == 0 && i == levels - 1) {
      path += '#';
    } else if (filter && kind < 3) {
      path += '+';
    } else {
      path += kWords[std::uniform_int_distribution<std::size_t>(0, kWords.size() - 1)(random)];
    }
  }
  return path.empty() ? "/" : path;
}

SubscriptionOptions random_options(std::mt19937& random) {
  return {static_cast<std::uint8_t>(random() % 3), random() % 2 == 0, random() % 2 == 0,
          static_cast<std::uint32_t>(random() % 5)};
}

auto in_order(const Match& match) {
  const SubscriptionOptions& options = match.options;
  return std::tuple(match.subscriber, options.qos, options.no_local, options.retain_as_published,
                    options.subscription_id);
}

void sort(std::vector<Match>& matches) {
  std::sort(matches.begin(), matches.end(), [](const Match& a, const Match& b) { return in_order(a) < in_order(b); });
}

class Model {
 public:
  using Entries = std::map<std::pair<std::string, SubscriberId>, SubscriptionOptions>;

  void insert(const std::string& filter, SubscriberId id, const SubscriptionOptions& options) {
    entries_[{filter, id}] = options;
  }
  bool erase(const std::string& filter, SubscriberId id) { return entries_.erase({filter, id}) > 0; }
  std::vector<Match> match(const std::string& topic) const {
    std::vector<Match> found;
    for (const auto& [entry, options] : entries_) {
      if (mqtt::matches(entry.first, topic)) found.push_back({entry.second, options});
    }
    sort(found);
    return found;
  }
  const Entries& entries() const { return entries_; }

 private:
  Entries entries_;
};

void expect_same_matches(const SubscriptionTrie& trie, const Model& model, const std::string& topic) {
  std::vector<Match> matches;
  trie.match(topic, matches);
  sort(matches);
  ASSERT_EQ(matches, model.match(topic)) << topic;
}

TEST(SubscriptionTrie, AgreesWithMatchingEveryFilter) {
  for (std::uint32_t seed = 0; seed < 40; ++seed) {
    std::mt19937 random(seed);
    SubscriptionTrie trie;
    const std::size_t empty_bytes = trie.memory_bytes();
    Model model;
    for (int step = 0; step < 1500; ++step) {
      const std::string filter = random_path(random, true);
      const auto id = std::uniform_int_distribution<SubscriberId>(0, 5)(random);
      if (step % 3 != 2) {
        const SubscriptionOptions options = random_options(random);
        const bool is_new = !model.entries().contains({filter, id});
        model.insert(filter, id, options);
        ASSERT_EQ(trie.insert(filter, id, options).new_entry, is_new);
      } else {
        ASSERT_EQ(trie.erase(filter, id).existed, model.erase(filter, id));
      }
      ASSERT_EQ(trie.entry_count(), model.entries().size());
      if (step % 5 == 0) expect_same_matches(trie, model, random_path(random, false));
    }
    ASSERT_GT(trie.memory_bytes(), empty_bytes);
    for (const auto& [entry, options] : model.entries()) ASSERT_TRUE(trie.erase(entry.first, entry.second).existed);
    ASSERT_EQ(trie.node_count(), 0U);
    ASSERT_EQ(trie.filter_count(), 0U);
    ASSERT_THAT(subscribers(trie, "a/b"), IsEmpty());
  }
}

// The promise that lets a device's filters live in its session: all topics that such a filter matches are the device's.
TEST(DeviceTopic, AFilterOfADeviceMatchesOnlyItsTopics) {
  static const std::vector<std::string> kWords{"",       "pk",  "dn",  "sys",    "ext",  "rrpc", "session", "shadow",
                                               "update", "get", "ota", "device", "user", "1",    "+",       "#"};
  std::mt19937 random(1);
  const auto word = [&random](std::size_t last) {
    return kWords[std::uniform_int_distribution<std::size_t>(0, last)(random)];
  };
  int checked = 0;
  for (int round = 0; round < 400'000; ++round) {
    std::string filter;
    std::string topic;
    const int levels = std::uniform_int_distribution(2, 7)(random);
    for (int i = 0; i < levels; ++i) {
      std::string part = word(kWords.size() - 1);
      if (part == "#" && i != levels - 1) part = "+";
      filter += "/" + part;
      topic += "/" + (part == "+" || part == "#" ? word(kWords.size() - 3) : part);
    }
    const auto owner = device_of_topic(filter);
    if (!owner) continue;
    ASSERT_TRUE(mqtt::matches(filter, topic)) << filter << " " << topic;
    const auto of_topic = device_of_topic(topic);
    ASSERT_TRUE(of_topic.has_value()) << filter << " " << topic;
    ASSERT_TRUE(*of_topic == *owner) << filter << " " << topic;
    checked += 1;
  }
  EXPECT_GT(checked, 1000);
}

}  // namespace
}  // namespace mooring::routing
