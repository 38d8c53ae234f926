#include "routing/device_topic.h"

#include <gtest/gtest.h>

#include <string>

namespace mooring::routing {
namespace {

using Key = std::pair<std::string, std::string>;

std::optional<Key> device(std::string_view topic) {
  const auto found = device_of_topic(topic);
  if (!found) return std::nullopt;
  return Key(found->product_key, found->device_name);
}

TEST(DeviceTopic, TopicsOfADevice) {
  const Key key("a1PK", "dev-1.x:y@z");
  for (const char* topic : {
           "/a1PK/dev-1.x:y@z/user/update",
           "/a1PK/dev-1.x:y@z/user/update/error",
           "/a1PK/dev-1.x:y@z/get",
           "/a1PK/dev-1.x:y@z",
           "/a1PK/dev-1.x:y@z/",
           "/sys/a1PK/dev-1.x:y@z/thing/event/property/post",
           "/sys/a1PK/dev-1.x:y@z/broadcast/request/1",
           "/sys/a1PK/dev-1.x:y@z",
           "/ext/session/a1PK/dev-1.x:y@z/combine/login",
           "/ext/ntp/a1PK/dev-1.x:y@z/request",
           "/ext/error/a1PK/dev-1.x:y@z",
           "/ext/rrpc/1234/a1PK/dev-1.x:y@z/user/get",
           "/ext/rrpc/1234//a1PK/dev-1.x:y@z/user/get",
           "/ext/rrpc/1234/sys/a1PK/dev-1.x:y@z/thing/x",
           "/ext/rrpc/1234//sys/a1PK/dev-1.x:y@z/thing/x",
           "/ext/rrpc//a1PK/dev-1.x:y@z/user/get",
           "/shadow/update/a1PK/dev-1.x:y@z",
           "/shadow/get/a1PK/dev-1.x:y@z",
           "/ota/device/inform/a1PK/dev-1.x:y@z",
           "/ota/device/upgrade/a1PK/dev-1.x:y@z",
       }) {
    EXPECT_EQ(device(topic), key) << topic;
  }
}

TEST(DeviceTopic, TopicsOfNobody) {
  for (const char* topic : {
           "",
           "/",
           "//",
           "///",
           "a",
           "a1PK/dev1/user/get",
           "/a1PK",
           "/a1PK/",
           "//dev1/user",
           "/a1PK//user",
           "/sys",
           "/sys/a1PK",
           "/sys/a1PK/",
           "/sys//dev1/thing",
           "/broadcast/a1PK/all",
           "/broadcast/a1PK",
           "/as/mqtt/status/a1PK/dev1",
           "/as/x",
           "$SYS/broker/uptime",
           "$share/g//a1PK/dev1/user/get",
           "/ext",
           "/ext/notify",
           "/ext/register",
           "/ext/regnwl",
           "/ext/auth/identity/response",
           "/ext/ntp/a1PK",
           "/ext/a1PK/dev1",
           "/ext/rrpc",
           "/ext/rrpc/1",
           "/ext/rrpc/1/",
           "/ext/rrpc/1//",
           "/ext/rrpc/1/a1PK",
           "/ext/rrpc/1///a1PK/dev1",
           "/ext/rrpc/1/broadcast/a1PK",
           "/ext/rrpc/1/ext/a1PK/dev1",
           "/ext/rrpc/1/sys/a1PK",
           "/shadow",
           "/shadow/update",
           "/shadow/other/a1PK/dev1",
           "/shadow/a1PK/dev1",
           "/shadow/update/a1PK",
           "/ota",
           "/ota/device",
           "/ota/device/inform",
           "/ota/device/inform/a1PK",
           "/ota/other/inform/a1PK/dev1",
       }) {
    EXPECT_EQ(device(topic), std::nullopt) << topic;
  }
}

TEST(DeviceTopic, FiltersOfADevice) {
  const Key key("pk", "dn");
  for (const char* filter : {"/pk/dn/#", "/pk/dn/user/+", "/sys/pk/dn/thing/event/+/post_reply", "/sys/pk/dn/#",
                             "/ext/rrpc/+/pk/dn/user/get", "/ext/rrpc/+//pk/dn/#", "/ota/device/+/pk/dn",
                             "/ext/ntp/pk/dn/+", "/shadow/get/pk/dn/#"}) {
    EXPECT_EQ(device(filter), key) << filter;
  }
}

TEST(DeviceTopic, FiltersThatReachOtherTopics) {
  for (const char* filter : {"#",
                             "/#",
                             "+/pk/dn",
                             "/+/dn/user/get",
                             "/pk/+/user/get",
                             "/pk/#",
                             "/+/+/#",
                             "/sys/#",
                             "/sys/+/dn/#",
                             "/sys/pk/+/#",
                             "/sys/pk/#",
                             "/ext/#",
                             "/ext/+/pk/dn",
                             "/ext/rrpc/#",
                             "/ext/rrpc/+/#",
                             "/ext/rrpc/1/+/dn",
                             "/ext/rrpc/1/pk/+",
                             "/ext/rrpc/+/+/pk/dn",
                             "/shadow/+/pk/dn",
                             "/shadow/get/+/dn",
                             "/ota/+/inform/pk/dn",
                             "/ota/device/#",
                             "/ota/device/+/pk/+",
                             "/+/pk/dn",
                             "/+/device/x/pk/dn"}) {
    EXPECT_EQ(device(filter), std::nullopt) << filter;
  }
}

TEST(DeviceTopic, ViewPointsIntoTheTopic) {
  const std::string topic = "/sys/pk/dn/x";
  const auto found = device_of_topic(topic);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->product_key.data(), topic.data() + 5);
  EXPECT_EQ(found->device_name.data(), topic.data() + 8);
}

}  // namespace
}  // namespace mooring::routing
