#include "broker/spare_messages.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace mooring::broker {
namespace {

mqtt::MessageRef message(std::size_t payload_bytes = 10) {
  return mqtt::Message::create("topic", base::as_bytes(std::string(payload_bytes, 'x')), 1, false);
}

TEST(SpareMessages, LendsTheLastOneFirst) {
  SpareMessages spares;
  EXPECT_FALSE(spares.take());
  mqtt::MessageRef first = message();
  mqtt::MessageRef second = message();
  const mqtt::Message* const last = &*second;
  spares.give(std::move(first));
  spares.give(std::move(second));
  EXPECT_EQ(&*spares.take(), last);
  EXPECT_TRUE(spares.take());
  EXPECT_FALSE(spares.take());
}

TEST(SpareMessages, KeepsNoneThatSomebodyHolds) {
  SpareMessages spares;
  mqtt::MessageRef held = message();
  spares.give(held);
  EXPECT_FALSE(spares.take());
  spares.give({});
  EXPECT_FALSE(spares.take());
}

TEST(SpareMessages, AreBounded) {
  SpareMessages spares;
  spares.give(message(2000));
  EXPECT_FALSE(spares.take()) << "a large one is not kept";
  for (std::size_t i = 0; i < SpareMessages::kMost + 5; ++i) spares.give(message());
  std::size_t count = 0;
  while (spares.take()) ++count;
  EXPECT_EQ(count, SpareMessages::kMost);
}

}  // namespace
}  // namespace mooring::broker
