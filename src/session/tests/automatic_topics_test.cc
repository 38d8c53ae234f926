#include "session/automatic_topics.h"

#include <gtest/gtest.h>

#include <set>

namespace mooring::session {
namespace {

const base::DeviceKeyView kDevice("pk", "dn");

std::optional<std::size_t> topic(std::string_view text) {
  return automatic_topic_number(kDevice, text);
}

TEST(AutomaticTopics, AreThoseOfTheList) {
  std::set<std::string> filters;
  for (std::size_t number = 0; number < kAutomaticTopics; ++number) {
    const std::string filter = automatic_filter(kDevice, number);
    filters.insert(filter);
    EXPECT_EQ(automatic_filter_number(kDevice, filter), number) << filter;
  }
  EXPECT_EQ(filters.size(), kAutomaticTopics);
  for (const char* filter :
       {"/sys/pk/dn/thing/event/+/post_reply", "/sys/pk/dn/rrpc/request/+", "/sys/pk/dn/thing/service/+",
        "/sys/pk/dn/_thing/service/post_reply", "/sys/pk/dn/awss/device/switchap", "/ota/device/upgrade/pk/dn",
        "/ota/device/request/pk/dn", "/shadow/get/pk/dn"}) {
    EXPECT_TRUE(filters.contains(filter)) << filter;
  }
}

// Stored by number.
TEST(AutomaticTopics, KeepTheirNumbers) {
  EXPECT_EQ(automatic_filter(kDevice, 0), "/sys/pk/dn/thing/model/down_raw");
  EXPECT_EQ(automatic_filter(kDevice, 11), "/sys/pk/dn/thing/service/+");
  EXPECT_EQ(automatic_filter(kDevice, 20), "/sys/pk/dn/thing/reset_reply");
  EXPECT_EQ(automatic_filter(kDevice, 32), "/sys/pk/dn/awss/device/switchap");
  EXPECT_EQ(automatic_filter(kDevice, 42), "/sys/pk/dn/_thing/service/post_reply");
  EXPECT_EQ(automatic_filter(kDevice, 45), "/shadow/get/pk/dn");
}

TEST(AutomaticTopics, MatchWholeLevels) {
  EXPECT_EQ(topic("/sys/pk/dn/thing/event/property/post_reply"), 2U);
  EXPECT_EQ(topic("/sys/pk/dn/thing/event//post_reply"), 2U);  // an empty level is a level
  EXPECT_EQ(topic("/sys/pk/dn/rrpc/request/77"), 7U);
  EXPECT_EQ(topic("/sys/pk/dn/thing/service/property/set"), 8U);
  EXPECT_EQ(topic("/sys/pk/dn/thing/service/reboot"), 11U);
  EXPECT_EQ(topic("/ota/device/upgrade/pk/dn"), 43U);
  for (const char* none : {"",
                           "/",
                           "/sys",
                           "/sys/",
                           "/sys/pk",
                           "/sys/pk/dn",
                           "/sys/pk/dn/",
                           "/sys/pk/dnx/thing/reset_reply",
                           "/sys/pk/d/thing/reset_reply",
                           "/sys/px/dn/thing/reset_reply",
                           "/sys/pk/dn/thing/reset_reply/",
                           "/sys/pk/dn/thing/event/a/b/post_reply",
                           "/sys/pk/dn/thing/event/post_reply",
                           "/sys/pk/dn/rrpc/request",
                           "/sys/pk/dn/rrpc/request/1/2",
                           "/sys/pk/dn/thing/service/a/b",
                           "/sys/pk/dn/thing/event/property/post",
                           "/ota/device/upgrade/pk/dn/",
                           "/ota/device/upgrade/pk",
                           "/ota/device/inform/pk/dn",
                           "/shadow/getpk/dn",
                           "/shadow/update/pk/dn",
                           "/pk/dn/user/get",
                           "sys/pk/dn/thing/reset_reply"}) {
    EXPECT_FALSE(topic(none)) << none;
  }
}

TEST(AutomaticTopics, AFilterIsItsOwnText) {
  EXPECT_FALSE(automatic_filter_number(kDevice, "/sys/pk/dn/thing/service/reboot"));
  EXPECT_FALSE(automatic_filter_number(kDevice, "/sys/pk/dn/thing/#"));
  EXPECT_FALSE(automatic_filter_number({"pk", "other"}, "/sys/pk/dn/thing/reset_reply"));
}

TEST(PushedTopics, AreThoseOfThePlatform) {
  for (const char* pushed : {"/ext/error/pk/dn", "/ext/ntp/pk/dn/response", "/sys/pk/dn/broadcast/request/5"}) {
    EXPECT_TRUE(is_pushed_topic(kDevice, pushed)) << pushed;
  }
  for (const char* not_pushed :
       {"/ext/error/pk/dn/more", "/ext/error/pk", "/ext/errorpk/dn", "/ext/ntp/pk/dn/request", "/ext/ntp/pk/dn",
        "/ext/ntp/pk/other/response", "/sys/pk/dn/broadcast/request", "/sys/pk/dn/broadcast/request/5/6",
        "/sys/pk/dn/thing/reset_reply", "/ext/notify", "/pk/dn/user/get"}) {
    EXPECT_FALSE(is_pushed_topic(kDevice, not_pushed)) << not_pushed;
  }
}

}  // namespace
}  // namespace mooring::session
