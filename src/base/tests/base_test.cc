#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <thread>

#include "base/intrusive_list.h"
#include "base/log_json.h"
#include "base/percent.h"
#include "base/text.h"
#include "base/threads.h"
#include "base/unique_function.h"
#include "base/utc_time.h"

namespace mooring::base {
namespace {

TEST(Threads, OneThatStepsBackLeavesTheOthersAlone) {
  const int before = ::getpriority(PRIO_PROCESS, 0);
  int beside = 0;
  std::string name(16, '\0');
  std::thread([&] {
    name_thread("fifteen letters");
    step_back();
    ::pthread_getname_np(::pthread_self(), name.data(), name.size());
    beside = ::getpriority(PRIO_PROCESS, 0);
  }).join();
  EXPECT_EQ(name.c_str(), std::string("fifteen letters"));
  EXPECT_EQ(beside, std::min(before + 5, 19));
  EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), before);
}

TEST(Text, HexBothWays) {
  const Bytes bytes{0x00, 0xFA, 0x9b};
  EXPECT_EQ(to_hex(bytes), "00fa9b");
  EXPECT_EQ(from_hex("00Fa9B"), bytes);
  EXPECT_FALSE(from_hex("abc"));
  EXPECT_FALSE(from_hex("zz"));
}

TEST(Text, Utf8RejectsWhatRfc3629Rejects) {
  EXPECT_TRUE(is_utf8("设备 \xF0\x9F\x9A\xA2"));
  EXPECT_FALSE(is_utf8("\xC0\x80"));          // overlong
  EXPECT_FALSE(is_utf8("\xED\xA0\x80"));      // surrogate
  EXPECT_FALSE(is_utf8("\xF4\x90\x80\x80"));  // above U+10FFFF
  EXPECT_FALSE(is_utf8("\xE2\x82"));          // cut short
  EXPECT_EQ(utf8_length("设备一号"), 4U);
}

TEST(Text, NearestFindsTheLikelySlip) {
  const std::array<std::string_view, 3> keys{"server.threads", "server.data", "tls.key"};
  EXPECT_EQ(nearest("server.thread", keys), "server.threads");
  EXPECT_FALSE(nearest("completely.else", keys));
}

TEST(Text, PrintableHidesControlCharacters) {
  EXPECT_EQ(printable("a\x1b[2Jb\n\xff"), "a\\x1b[2Jb\\x0a\\xff");
  EXPECT_EQ(printable("abcdef", 3), "abc...");
}

TEST(Percent, EncodesAllThatIsReserved) {
  EXPECT_EQ(percent_encoded("a-_.~Z9/ %\xE8"), "a-_.~Z9%2F%20%25%E8");
  EXPECT_EQ(percent_decoded("a%2fb+c%20", false), "a/b+c ");
  EXPECT_EQ(percent_decoded("a+b", true), "a b");
  for (const char* broken : {"%", "%2", "%2g", "a%"}) EXPECT_EQ(percent_decoded(broken, false), std::nullopt) << broken;
}

TEST(Percent, PairsComeInTheirOrder) {
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(query_pairs("b=1&&a=%3D+&a&=x"), (Pairs{{"b", "1"}, {"a", "= "}, {"a", ""}, {"", "x"}}));
  EXPECT_EQ(query_pairs(""), Pairs{});
  EXPECT_EQ(query_pairs("a=1&b=%4"), std::nullopt);
}

TEST(UtcTime, IsWrittenWithAllItsDigits) {
  EXPECT_EQ(utc_time(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(utc_time(-1), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(utc_time(1'535'700'748'205), "2018-08-31T07:32:28.205Z");
  EXPECT_EQ(utc_time(253'402'300'799'999), "9999-12-31T23:59:59.999Z");
}

TEST(UniqueFunction, MovesAndDestroysItsTargetOnce) {
  auto counter = std::make_shared<int>(0);
  {
    UniqueFunction<int(int)> small = [counter, owned = std::make_unique<int>(2)](int x) { return x * *owned; };
    UniqueFunction<int(int)> moved = std::move(small);
    EXPECT_FALSE(small);
    EXPECT_EQ(moved(21), 42);
    std::array<char, 100> large{};
    large[99] = 7;
    moved = [counter, large](int x) { return x + large[99]; };
    EXPECT_EQ(moved(1), 8);
    EXPECT_EQ(counter.use_count(), 2);
  }
  EXPECT_EQ(counter.use_count(), 1);
}

struct TagA;
struct Item : ListHook<TagA> {
  int value = 0;
};

TEST(IntrusiveList, KeepsOrderAndUnlinksOnDestruction) {
  IntrusiveList<Item, TagA> list;
  Item a, c;
  a.value = 1;
  c.value = 3;
  {
    Item b;
    b.value = 2;
    list.push_back(a);
    list.push_back(b);
    list.push_back(c);
  }
  EXPECT_EQ(list.pop_front()->value, 1);
  EXPECT_EQ(list.pop_front()->value, 3);
  EXPECT_TRUE(list.empty());
}

TEST(LogJson, any_message_is_one_line_of_json) {
  EXPECT_EQ(json_log_line(1'480'484'333'007, "info", "net", "listening"),
            R"({"time":"2016-11-30T05:38:53.007Z","level":"info","component":"net","message":"listening"})");
  const std::string line = json_log_line(0, "warn", "x", std::string_view("a\"b\\c\n\t\x1b\x7f\0d", 11));
  EXPECT_NE(line.find(R"("a\"b\\c\n\t\u001b\u007f\u0000d")"), std::string::npos) << line;
}

TEST(LogJson, line_ends_and_controls_beyond_ascii_are_escaped) {
  const std::string line = json_log_line(0, "info", "x", "\u0085\u009f\u00a0\u2028\u2029\u2030");
  EXPECT_NE(line.find("\"\\u0085\\u009f\u00a0\\u2028\\u2029\u2030\""), std::string::npos) << line;
}

TEST(LogJson, what_is_not_utf8_is_replaced_byte_by_byte) {
  const std::string line = json_log_line(0, "info", "x", "\xe9\x94\x85 \xff\xc3 \xf0\x9f\x98\x80 \xed\xa0\x80");
  EXPECT_NE(line.find("\"\xe9\x94\x85 \\ufffd\\ufffd \xf0\x9f\x98\x80 \\ufffd\\ufffd\\ufffd\""), std::string::npos)
      << line;
}

}  // namespace
}  // namespace mooring::base
