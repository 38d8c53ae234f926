// Whose memory a message is made in.
#include "mqtt/message.h"

#include <gtest/gtest.h>

#include <string>

namespace mooring::mqtt::testing {
namespace {

MessageRef make(std::string_view topic, const std::string& payload) {
  MessageFields fields;
  fields.qos = 1;
  return Message::create(topic, base::as_bytes(payload), fields);
}

MessageRef make_in(MessageRef spare, std::string_view topic, const std::string& payload) {
  MessageFields fields;
  fields.retain = true;
  fields.published_ms = 7;
  return Message::create_in(std::move(spare), topic, base::as_bytes(payload), fields);
}

void expect_content(const Message& message, std::string_view topic, const std::string& payload) {
  EXPECT_EQ(message.topic(), topic);
  EXPECT_EQ(base::as_text(message.payload()), payload);
  EXPECT_EQ(message.qos(), 0);
  EXPECT_TRUE(message.retain());
  EXPECT_EQ(message.published_ms(), 7U);
}

TEST(Message, TakesTheMemoryOfOneThatNobodyHolds) {
  MessageRef message = make("first", std::string(100, 'a'));
  const Message* const place = &*message;
  for (const std::size_t bytes : {50U, 60U, 100U}) {
    message = make_in(std::move(message), "other", std::string(bytes, 'b'));
    EXPECT_EQ(&*message, place) << bytes;
    expect_content(*message, "other", std::string(bytes, 'b'));
    EXPECT_TRUE(message.is_only());
  }
}

// It is counted by what it holds, so it must not hold much more.
TEST(Message, LeavesAloneWhatIsMuchTooLarge) {
  MessageRef large = make("first", std::string(1000, 'a'));
  const Message* const place = &*large;
  const MessageRef watched = large;  // keeps the place from being used anew
  const MessageRef small = make_in(MessageRef(make("first", std::string(1000, 'a'))), "t", "b");
  expect_content(*small, "t", "b");
  large = make_in(std::move(large), "t", "b");
  EXPECT_NE(&*large, place);
  MessageRef alone = make("first", std::string(1000, 'a'));
  MessageRef next = make_in(std::move(alone), "t", std::string(450, 'b'));
  expect_content(*next, "t", std::string(450, 'b'));
}

TEST(Message, LeavesAloneWhatSomebodyHolds) {
  MessageRef message = make("first", "a");
  const MessageRef held = message;
  EXPECT_FALSE(held.is_only());
  const MessageRef other = make_in(std::move(message), "other", "b");
  EXPECT_NE(&*other, &*held);
  expect_content(*other, "other", "b");
  EXPECT_EQ(held->topic(), "first");
  EXPECT_EQ(base::as_text(held->payload()), "a");
  EXPECT_TRUE(held.is_only());
}

TEST(Message, TakesMoreMemoryWhenItNeedsMore) {
  for (const std::size_t bytes : {0U, 1U, 20U, 100U, 2'000'000U}) {
    MessageRef message = make("t", std::string(bytes, 'a'));
    message = make_in(std::move(message), "t", std::string(bytes + 16, 'b'));
    expect_content(*message, "t", std::string(bytes + 16, 'b'));
    EXPECT_EQ(message->memory_bytes(), sizeof(Message) + 2 + 1 + bytes + 16);
  }
  expect_content(*make_in(MessageRef(), "t", "p"), "t", "p");
}

TEST(Message, IsSmallUpToAKibibyte) {
  EXPECT_TRUE(make("t", std::string(1000, 'a'))->is_small());
  EXPECT_FALSE(make("t", std::string(1100, 'a'))->is_small());
  EXPECT_FALSE(make("t", std::string(3'000'000, 'a'))->is_small());
}

}  // namespace
}  // namespace mooring::mqtt::testing
