// Topics: MQTT 3.1.1 section 4.7.
#include "mqtt/topic.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace mooring::mqtt {
namespace {

using namespace std::string_view_literals;

TEST(TopicName, Valid) {
  for (const std::string_view topic :
       {"a", "/", "//", "a/b", "/a/", "$SYS/x", " ", "a b", "\xE6\xB8\xA9\xE5\xBA\xA6"}) {
    EXPECT_TRUE(is_valid_topic_name(topic)) << topic;
  }
  EXPECT_TRUE(is_valid_topic_name(std::string(65'535, 'a')));
}

TEST(TopicName, Invalid_4_7_3) {
  for (const std::string_view topic : {""sv, "+"sv, "a/#"sv, "a+b"sv, "a\0"sv, "\xFF"sv, "a\xC3"sv}) {
    EXPECT_FALSE(is_valid_topic_name(topic)) << topic;
  }
  EXPECT_FALSE(is_valid_topic_name(std::string(65'536, 'a')));
}

TEST(TopicFilter, Valid) {
  for (const std::string_view filter :
       {"a", "/", "#", "+", "+/+", "/+", "+/", "a/#", "+/#", "a/+/b", "a//#", "$share/g/#", "+/tennis/#"}) {
    EXPECT_TRUE(is_valid_filter(filter)) << filter;
  }
}

TEST(TopicFilter, Invalid_4_7_1_2_and_3) {
  for (const std::string_view filter : {""sv, "a#"sv, "#/"sv, "#/a"sv, "a/#/b"sv, "a+"sv, "+a"sv, "sport+"sv, "++"sv,
                                        "##"sv, "+#"sv, "a/b#"sv, "a\0"sv, "\xFF/+"sv}) {
    EXPECT_FALSE(is_valid_filter(filter)) << filter;
  }
}

TEST(SharedFilter, IsTakenApart_4_8_2) {
  const auto parts = [](std::string_view filter) {
    const auto shared = parse_shared_filter(filter);
    return shared ? std::string(shared->group) + " | " + std::string(shared->filter) : std::string("none");
  };
  EXPECT_EQ(parts("$share/g/a"), "g | a");
  EXPECT_EQ(parts("$share/group one/+/b/#"), "group one | +/b/#");
  EXPECT_EQ(parts("$share/g//a"), "g | /a");
  EXPECT_EQ(parts("$share/g//"), "g | /");
  EXPECT_EQ(parts("$share/g/$SYS/#"), "g | $SYS/#");
  EXPECT_EQ(parts("$share/a/$share/b/c"), "a | $share/b/c");
  for (const std::string_view filter :
       {"$share/"sv, "$share/g"sv, "$share/g/"sv, "$share//a"sv, "$share/+/a"sv, "$share/#"sv, "$share/g+/a"sv,
        "$share/g#/a"sv, "$share/g/a#"sv, "$share/g/#/a"sv, "$share/\xFF/a"sv, "$share/g/\xFF"sv, "$share/g\0/a"sv}) {
    EXPECT_TRUE(is_shared_filter(filter));
    EXPECT_EQ(parts(filter), "none") << filter;
  }
  for (const std::string_view filter : {"$share"sv, "a/b"sv, "$Share/g/a"sv, "/$share/g/a"sv, ""sv, "#"sv}) {
    EXPECT_FALSE(is_shared_filter(filter));
    EXPECT_EQ(parts(filter), "none") << filter;
  }
}

TEST(Levels, AreWalkedWithTheEmptyOnes) {
  const auto levels_of = [](std::string_view text) {
    std::vector<std::string> out;
    LevelIterator levels(text);
    for (std::string_view level; levels.next(level);) out.emplace_back(level);
    return out;
  };
  using Levels = std::vector<std::string>;
  EXPECT_EQ(levels_of("a/bc/d"), (Levels{"a", "bc", "d"}));
  EXPECT_EQ(levels_of("/a/"), (Levels{"", "a", ""}));
  EXPECT_EQ(levels_of("/"), (Levels{"", ""}));
  EXPECT_EQ(levels_of("a"), (Levels{"a"}));
  EXPECT_EQ(levels_of(""), (Levels{""}));
  for (const std::string_view text : {"a/bc/d", "/a/", "/", "a", ""}) {
    EXPECT_EQ(level_count(text), levels_of(text).size());
  }
}

// Examples of sections 4.7.1 and 4.7.2.
TEST(Matches, ExamplesOfTheStandard) {
  EXPECT_TRUE(matches("sport/tennis/player1/#", "sport/tennis/player1"));
  EXPECT_TRUE(matches("sport/tennis/player1/#", "sport/tennis/player1/ranking"));
  EXPECT_TRUE(matches("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"));
  EXPECT_TRUE(matches("sport/#", "sport"));
  EXPECT_TRUE(matches("#", "sport/tennis"));
  EXPECT_TRUE(matches("sport/tennis/+", "sport/tennis/player1"));
  EXPECT_FALSE(matches("sport/tennis/+", "sport/tennis/player1/ranking"));
  EXPECT_FALSE(matches("sport/+", "sport"));
  EXPECT_TRUE(matches("sport/+", "sport/"));
  EXPECT_TRUE(matches("+/+", "/finance"));
  EXPECT_TRUE(matches("/+", "/finance"));
  EXPECT_FALSE(matches("+", "/finance"));
  EXPECT_FALSE(matches("ACCOUNTS", "Accounts"));
}

TEST(Matches, Dollar_4_7_2_1) {
  EXPECT_FALSE(matches("#", "$SYS/x"));
  EXPECT_FALSE(matches("+/x", "$SYS/x"));
  EXPECT_FALSE(matches("+", "$SYS"));
  EXPECT_TRUE(matches("$SYS/#", "$SYS/x"));
  EXPECT_TRUE(matches("$SYS/+", "$SYS/x"));
  EXPECT_TRUE(matches("a/+", "a/$x"));
  EXPECT_TRUE(matches("a/#", "a/$x"));
}

TEST(Matches, Borders) {
  EXPECT_TRUE(matches("a", "a"));
  EXPECT_FALSE(matches("a", "a/"));
  EXPECT_FALSE(matches("a/", "a"));
  EXPECT_TRUE(matches("+/#", "a"));
  EXPECT_TRUE(matches("/#", "/"));
  EXPECT_TRUE(matches("/#", "/a"));
  EXPECT_FALSE(matches("/#", "a"));
  EXPECT_FALSE(matches("a/+/#", "a"));
  EXPECT_TRUE(matches("a/+/#", "a/b"));
}

TEST(Covers, Pairs) {
  const struct {
    std::string_view outer, inner;
    bool expected;
  } cases[] = {
      {"a", "a", true},         {"a", "b", false},         {"+", "a", true},
      {"a", "+", false},        {"#", "a/b", true},        {"#", "#", true},
      {"+/#", "#", true},       {"#", "+/#", true},        {"+", "#", false},
      {"#", "$SYS/x", false},   {"+/x", "$SYS/x", false},  {"$SYS/#", "$SYS/x", true},
      {"#", "$SYS/#", false},   {"$SYS/#", "#", false},    {"a/#", "a", true},
      {"a/#", "a/#", true},     {"a/#", "a/+/#", true},    {"a/+/#", "a/#", false},
      {"a/#", "a/b/+/c", true}, {"a/#", "+/b", false},     {"a/+", "a/b", true},
      {"a/+", "a/+", true},     {"a/+", "a", false},       {"a/+", "a/b/c", false},
      {"a/+", "a/#", false},    {"+/+", "a/b", true},      {"+/+", "+/b", true},
      {"+/b", "+/+", false},    {"a/b/#", "a/#", false},   {"+/+/#", "#", false},
      {"/#", "/", true},        {"+/+", "/", true},        {"/#", "#", false},
      {"a/+/c", "a/b/c", true}, {"a/+/c", "a/b/d", false}, {"/pk/dn/user/#", "/pk/+/user/#", false},
      {"a/#", "a/$x", true},
  };
  for (const auto& c : cases) EXPECT_EQ(covers(c.outer, c.inner), c.expected) << c.outer << " over " << c.inner;
}

// Every filter of up to three levels over a small alphabet, against every topic of up to four: covers() holds exactly
// when no topic contradicts it. "z" stands for the words that no filter names, the fourth level for all deeper ones.
std::vector<std::string> combine(const std::vector<std::string>& words, int max_levels) {
  std::vector<std::string> out;
  std::vector<std::string> previous = {""};
  for (int level = 0; level < max_levels; ++level) {
    std::vector<std::string> next;
    for (const std::string& head : previous) {
      for (const std::string& word : words) next.push_back(level == 0 ? word : head + "/" + word);
    }
    out.insert(out.end(), next.begin(), next.end());
    previous = next;
  }
  return out;
}

TEST(Covers, IsExact) {
  std::vector<std::string> filters;
  for (const std::string& filter : combine({"a", "$s", "", "+", "#"}, 3)) {
    if (is_valid_filter(filter)) filters.push_back(filter);
  }
  std::vector<std::string> topics;
  for (const std::string& topic : combine({"a", "$s", "$z", "", "z"}, 4)) {
    if (is_valid_topic_name(topic)) topics.push_back(topic);
  }
  ASSERT_EQ(filters.size(), 104U);
  std::vector<std::vector<bool>> selected(filters.size());
  for (std::size_t i = 0; i < filters.size(); ++i) {
    for (const std::string& topic : topics) selected[i].push_back(matches(filters[i], topic));
  }
  for (std::size_t outer = 0; outer < filters.size(); ++outer) {
    for (std::size_t inner = 0; inner < filters.size(); ++inner) {
      bool expected = true;
      for (std::size_t t = 0; t < topics.size() && expected; ++t) {
        expected = !selected[inner][t] || selected[outer][t];
      }
      ASSERT_EQ(covers(filters[outer], filters[inner]), expected) << filters[outer] << " over " << filters[inner];
    }
  }
}

}  // namespace
}  // namespace mooring::mqtt
