#include "things/child_link.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/text.h"

namespace mooring::things {
namespace {

TEST(OwnedPublish, gives_the_packet_back_when_its_buffer_is_gone) {
  std::string topic = "/pk/dev1/user/update";
  std::string payload("a\0b", 3);
  std::string response = "answer/here";
  base::Bytes properties{0x08, 0x00, 0x01, 'x'};
  mqtt::Publish packet;
  packet.topic = topic;
  packet.payload = base::as_bytes(payload);
  packet.qos = 1;
  packet.dup = true;
  packet.packet_id = 77;
  packet.payload_format = 1;
  packet.user_property_count = 3;
  packet.message_expiry_s = 60;
  packet.response_topic = response;
  packet.properties = properties;
  const OwnedPublish owned(packet);
  EXPECT_GE(owned.bytes(), topic.size() + payload.size() + response.size() + properties.size());
  topic.assign(topic.size(), 'x');
  payload.assign(3, 'x');
  response.assign(response.size(), 'x');
  properties.assign(properties.size(), 0);
  const OwnedPublish moved(owned);
  const mqtt::Publish again = moved.packet();
  EXPECT_EQ(again.topic, "/pk/dev1/user/update");
  EXPECT_EQ(base::as_text(again.payload), std::string_view("a\0b", 3));
  EXPECT_EQ(again.response_topic, "answer/here");
  EXPECT_EQ(again.properties.size(), 4U);
  EXPECT_EQ(again.properties[0], 0x08);
  EXPECT_EQ(again.qos, 1);
  EXPECT_TRUE(again.dup);
  EXPECT_EQ(again.packet_id, 77);
  EXPECT_EQ(again.message_expiry_s, 60U);
  EXPECT_EQ(again.user_property_count, 3);
}

TEST(OwnedPublish, an_empty_payload) {
  mqtt::Publish packet;
  packet.topic = "/a/b/c";
  const OwnedPublish owned(packet);
  EXPECT_EQ(owned.packet().topic, "/a/b/c");
  EXPECT_TRUE(owned.packet().payload.empty());
  EXPECT_TRUE(owned.packet().properties.empty());
}

TEST(OwnedFilters, keep_filters_and_their_options) {
  std::vector<mqtt::SubscribeEntry> entries(2);
  entries[0].filter = "/pk/dev1/user/get";
  entries[0].qos = 1;
  entries[1].filter = "/pk/dev1/user/#";
  entries[1].no_local = true;
  entries[1].retain_as_published = true;
  entries[1].retain_handling = mqtt::RetainHandling::kDoNotSend;
  const OwnedFilters owned(entries);
  const auto list = owned.entries();
  ASSERT_EQ(list.size(), 2U);
  auto entry = list.begin();
  EXPECT_EQ(entry->filter, "/pk/dev1/user/get");
  EXPECT_EQ(entry->qos, 1);
  EXPECT_FALSE(entry->no_local);
  ++entry;
  EXPECT_EQ(entry->filter, "/pk/dev1/user/#");
  EXPECT_EQ(entry->qos, 0);
  EXPECT_TRUE(entry->no_local);
  EXPECT_TRUE(entry->retain_as_published);
  EXPECT_EQ(entry->retain_handling, mqtt::RetainHandling::kDoNotSend);
}

TEST(OwnedFilters, of_an_unsubscribe) {
  const std::vector<std::string_view> filters{"a", "b/+"};
  const OwnedFilters owned(filters);
  std::vector<std::string> found;
  for (const std::string_view filter : owned.filters()) found.emplace_back(filter);
  EXPECT_EQ(found, (std::vector<std::string>{"a", "b/+"}));
}

}  // namespace
}  // namespace mooring::things
