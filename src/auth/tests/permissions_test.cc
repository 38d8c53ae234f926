#include "auth/permissions.h"

#include <gtest/gtest.h>

#include <string>

#include "auth/client_id.h"

namespace mooring::auth {
namespace {

const base::DeviceKey kDevice{"a1PK", "dev1"};

const ProductTopicClasses& custom_classes() {
  static const TopicClass kClasses[] = {
      {"user/echo", TopicRight::kAll},         {"user/out", TopicRight::kPublish},
      {"user/in", TopicRight::kSubscribe},     {"user/+/error", TopicRight::kSubscribe},
      {"user/tree/#", TopicRight::kSubscribe}, {"user/get", TopicRight::kPublish},
      {"user/a/b/c/d", TopicRight::kAll},      {"news", TopicRight::kAll},
  };
  static const std::shared_ptr<const ProductTopicClasses> kCompiled = *ProductTopicClasses::compile(kClasses);
  return *kCompiled;
}

constexpr Permission kYes = Permission::kAllowed;
constexpr Permission kNo = Permission::kNotPermitted;
constexpr Permission kLong = Permission::kTooLong;

struct Row {
  const char* topic;
  Permission publish;
  Permission subscribe;
};

void check(const Row& row, const DevicePermissions& permissions) {
  EXPECT_EQ(permissions.may_publish(row.topic), row.publish) << "publish " << row.topic;
  EXPECT_EQ(permissions.may_subscribe(row.topic), row.subscribe) << "subscribe " << row.topic;
}

// The device a1PK/dev1 with default classes and without `ext`.
constexpr Row kDefaults[] = {
    {"/a1PK/dev1/user/update", kYes, kNo},
    {"/a1PK/dev1/user/update/error", kYes, kNo},
    {"/a1PK/dev1/user/get", kNo, kYes},
    {"/a1PK/dev1/update", kYes, kNo},
    {"/a1PK/dev1/update/error", kYes, kNo},
    {"/a1PK/dev1/get", kNo, kYes},
    {"/a1PK/dev1/user/#", kNo, kYes},
    {"/a1PK/dev1/user/+", kNo, kNo},
    {"/a1PK/dev1/user/other", kNo, kNo},
    {"/a1PK/dev1/user/update/", kNo, kNo},
    {"/a1PK/dev1/user", kNo, kNo},
    {"/a1PK/dev1/user/", kNo, kNo},
    {"/a1PK/dev1/#", kNo, kNo},
    {"/a1PK/dev1/+/get", kNo, kNo},
    {"/a1PK/dev1/", kNo, kNo},
    {"/a1PK/dev1", kNo, kNo},
    {"/a1PK/dev1/thing/lifecycle", kNo, kNo},
    {"/a1PK/dev2/user/update", kNo, kNo},
    {"/a1PK/dev2/user/get", kNo, kNo},
    {"/a1PK/dev11/user/get", kNo, kNo},
    {"/a1PK/dev/user/get", kNo, kNo},
    {"/a1PK2/dev1/user/get", kNo, kNo},
    {"/A1PK/dev1/user/get", kNo, kNo},
    {"/a1PK/+/user/get", kNo, kNo},
    {"/+/dev1/user/get", kNo, kNo},
    {"a1PK/dev1/user/get", kNo, kNo},
    {"", kNo, kNo},
    {"/", kNo, kNo},
    {"#", kNo, kNo},
    {"+", kNo, kNo},
    {"/#", kNo, kNo},
    {"+/#", kNo, kNo},
    {"+/a1PK/dev1/user/get", kNo, kNo},
    {"/+/a1PK/dev1/thing/#", kNo, kNo},
    {"$SYS/#", kNo, kNo},
    {"/sys/#", kNo, kNo},
    {"/sys/+/+/thing/#", kNo, kNo},
    {"/sys/a1PK/#", kNo, kNo},
    {"/sys/a1PK/dev1/#", kNo, kNo},
    {"/sys/a1PK/+/thing/event/property/post_reply", kNo, kNo},
    {"/sys/a1PK/dev1/thing/event/property/post", kYes, kYes},
    {"/sys/a1PK/dev1/thing/event/property/post_reply", kYes, kYes},
    {"/sys/a1PK/dev1/thing/event/+/post_reply", kNo, kYes},
    {"/sys/a1PK/dev1/thing/event/#", kNo, kYes},
    {"/sys/a1PK/dev1/thing/#", kNo, kYes},
    {"/sys/a1PK/dev1/thing/a/b/c/d/e/f/g", kYes, kYes},
    {"/sys/a1PK/dev1/things/x", kNo, kNo},
    {"/sys/a1PK/dev2/thing/event/property/post", kNo, kNo},
    {"/sys/a1PK/dev1/+/event", kNo, kNo},
    {"/sys/a1PK/dev1/_thing/event/notify", kYes, kYes},
    {"/sys/a1PK/dev1/_thing/#", kNo, kYes},
    {"/sys/a1PK/dev1/rrpc/request/+", kNo, kYes},
    {"/sys/a1PK/dev1/rrpc/request/12345", kNo, kYes},
    {"/sys/a1PK/dev1/rrpc/request/1/2", kNo, kNo},
    {"/sys/a1PK/dev1/rrpc/request/#", kNo, kNo},
    {"/sys/a1PK/dev1/rrpc/response/12345", kYes, kNo},
    {"/sys/a1PK/dev1/rrpc/response/+", kNo, kNo},
    {"/sys/a1PK/dev1/rrpc/#", kNo, kNo},
    {"/sys/a1PK/dev1/app/down", kYes, kYes},
    {"/sys/a1PK/dev1/app/#", kNo, kYes},
    {"/sys/a1PK/dev1/broadcast/request/+", kNo, kYes},
    {"/sys/a1PK/dev1/broadcast/request/7", kNo, kYes},
    {"/sys/a1PK/dev1/awss/device/switchap", kNo, kYes},
    {"/ext/session/a1PK/dev1/combine/login", kYes, kNo},
    {"/ext/session/a1PK/dev1/combine/login_reply", kNo, kYes},
    {"/ext/session/a1PK/dev1/combine/batch_logout_reply", kNo, kYes},
    {"/ext/session/a1PK/dev1/+/login_reply", kNo, kYes},
    {"/ext/session/a1PK/dev1/combine/+", kNo, kNo},
    {"/ext/session/a1PK/dev1/#", kNo, kNo},
    {"/ext/session/a1PK/dev2/combine/login", kNo, kNo},
    {"/ext/ntp/a1PK/dev1/request", kYes, kNo},
    {"/ext/ntp/a1PK/dev1/response", kNo, kYes},
    {"/ext/ntp/a1PK/dev1/+", kNo, kNo},
    {"/ext/error/a1PK/dev1", kNo, kYes},
    {"/ext/error/a1PK/dev2", kNo, kNo},
    {"/ext/notify", kNo, kYes},
    {"/ext/register", kNo, kNo},
    {"/ext/#", kNo, kNo},
    {"/ext/rrpc/1/a1PK/dev1/user/get", kNo, kNo},
    {"/ext/rrpc/+//a1PK/dev1/user/get", kNo, kNo},
    {"/shadow/update/a1PK/dev1", kYes, kNo},
    {"/shadow/get/a1PK/dev1", kNo, kYes},
    {"/shadow/+/a1PK/dev1", kNo, kNo},
    {"/shadow/get/a1PK/dev2", kNo, kNo},
    {"/ota/device/inform/a1PK/dev1", kYes, kNo},
    {"/ota/device/progress/a1PK/dev1", kYes, kNo},
    {"/ota/device/request/a1PK/dev1", kYes, kYes},
    {"/ota/device/upgrade/a1PK/dev1", kNo, kYes},
    {"/ota/device/+/a1PK/dev1", kNo, kNo},
    {"/ota/device/upgrade/a1PK/+", kNo, kNo},
    {"/broadcast/a1PK/news", kNo, kYes},
    {"/broadcast/a1PK/a/b", kNo, kYes},
    {"/broadcast/a1PK/#", kNo, kYes},
    {"/broadcast/a1PK/+", kNo, kYes},
    {"/broadcast/a1PK2/news", kNo, kNo},
    {"/broadcast/+/news", kNo, kNo},
    {"/broadcast/#", kNo, kNo},
    {"/as/mqtt/status/a1PK/dev1", kNo, kNo},
    {"/${pk}/${dn}/user/get", kNo, kNo},
};

TEST(Permissions, DefaultRights) {
  const DevicePermissions permissions(kDevice, *ProductTopicClasses::defaults(), 0);
  for (const Row& row : kDefaults) check(row, permissions);
}

TEST(Permissions, CustomClasses) {
  const DevicePermissions permissions(kDevice, custom_classes(), kExtNotify);
  constexpr Row kRows[] = {
      {"/a1PK/dev1/user/echo", kYes, kYes},
      {"/a1PK/dev1/user/out", kYes, kNo},
      {"/a1PK/dev1/user/in", kNo, kYes},
      {"/a1PK/dev1/user/in/deeper", kNo, kNo},
      {"/a1PK/dev1/user/+/error", kNo, kYes},
      {"/a1PK/dev1/user/pump/error", kNo, kYes},
      {"/a1PK/dev1/user/a/b/error", kNo, kNo},
      {"/a1PK/dev1/user/+/+", kNo, kNo},
      {"/a1PK/dev1/user/+", kNo, kNo},
      {"/a1PK/dev1/user/update/error", kYes, kYes},
      {"/a1PK/dev1/user/tree/#", kNo, kYes},
      {"/a1PK/dev1/user/tree/+", kNo, kYes},
      {"/a1PK/dev1/user/tree/a/b", kNo, kYes},
      {"/a1PK/dev1/user/tree", kNo, kYes},
      {"/a1PK/dev1/user/trees", kNo, kNo},
      {"/a1PK/dev1/user/get", kYes, kYes},
      {"/a1PK/dev1/news", kYes, kYes},
      {"/a1PK/dev2/news", kNo, kNo},
      {"/a1PK/dev1/user/a/b/c/d", kYes, kYes},
      {"/a1PK/dev1/user/tree/a/b/c", kNo, kYes},
      {"/a1PK/dev1/user/tree/a/b/c/d", kLong, kLong},
      {"/ext/rrpc/1/a1PK/dev1/user/echo", kNo, kNo},
  };
  for (const Row& row : kRows) check(row, permissions);
}

TEST(Permissions, CustomRrpcNeedsItsExtBit) {
  const DevicePermissions permissions(kDevice, *ProductTopicClasses::defaults(), kExtCustomRrpc | kExtNotify);
  constexpr Row kRows[] = {
      {"/ext/rrpc/1/a1PK/dev1/user/get", kYes, kYes},
      {"/ext/rrpc/1//a1PK/dev1/user/get", kYes, kYes},
      {"/ext/rrpc/+/a1PK/dev1/user/get", kNo, kYes},
      {"/ext/rrpc/+//a1PK/dev1/#", kNo, kYes},
      {"/ext/rrpc/1///a1PK/dev1/x", kNo, kNo},
      {"/ext/rrpc/1/a1PK/dev2/user/get", kNo, kNo},
      {"/ext/rrpc/1//a1PK/dev2/user/get", kNo, kNo},
      {"/ext/rrpc/+/+/dev1/#", kNo, kNo},
      {"/ext/rrpc/#", kNo, kNo},
      {"/ext/rrpc/+/#", kNo, kNo},
  };
  for (const Row& row : kRows) check(row, permissions);
}

TEST(Permissions, TopicsHave128BytesAtMost) {
  const DevicePermissions permissions(kDevice, *ProductTopicClasses::defaults(), 0);
  std::string topic = "/sys/a1PK/dev1/thing/";
  topic.append(kMaxTopicBytes - topic.size(), 'x');
  check({topic.c_str(), kYes, kYes}, permissions);
  topic.push_back('x');
  check({topic.c_str(), kLong, kLong}, permissions);
  check({std::string(100'000, '/').c_str(), kLong, kLong}, permissions);
}

TEST(TopicClass, AcceptsGoodDefinitions) {
  for (const char* text : {"user/echo:all", "user/a_1/B:pub", "user/+/error:sub", "user/#:sub", "user/+/#:sub",
                           "update:all", "user/a/b/c/d:all"}) {
    const auto topic_class = parse_topic_class(text);
    ASSERT_TRUE(topic_class) << text;
    EXPECT_EQ(topic_class->suffix + ":" + std::string(name(topic_class->right)), text);
  }
}

TEST(TopicClass, RefusesBadDefinitions) {
  for (const char* text : {"user/echo",     "user/echo:",        "user/echo:both",      ":all",
                           "/user/a:all",   "user/:all",         "user//a:all",         "user/a-b:all",
                           "user/a b:all",  "user/\xC3\xA4:all", "user/+/a:pub",        "user/+:all",
                           "user/#:all",    "user/#/a:sub",      "user/a+:sub",         "user/a#:sub",
                           "#:sub",         "+/a:sub",           "thing/lifecycle:pub", "user/a/b/c/d/e:all",
                           "user/${pk}:all"}) {
    const auto topic_class = parse_topic_class(text);
    ASSERT_FALSE(topic_class) << text;
    EXPECT_EQ(topic_class.error().code, base::Errc::kInvalidArgument) << text;
  }
  EXPECT_TRUE(check_topic_class("user/" + std::string(116, 'x'), TopicRight::kAll));
  EXPECT_FALSE(check_topic_class("user/" + std::string(117, 'x'), TopicRight::kAll));
}

TEST(TopicClass, FiftyPerProduct) {
  std::vector<TopicClass> classes;
  for (std::size_t i = 0; i < kMaxTopicClasses; ++i)
    classes.push_back({"user/t" + std::to_string(i), TopicRight::kAll});
  const auto compiled = ProductTopicClasses::compile(classes);
  ASSERT_TRUE(compiled);
  EXPECT_TRUE((*compiled)->permits("user/t49", TopicRight::kPublish));
  classes.push_back({"user/more", TopicRight::kAll});
  EXPECT_EQ(ProductTopicClasses::compile(classes).error().code, base::Errc::kLimitExceeded);
  const TopicClass wrong[] = {{"user/#", TopicRight::kAll}};
  EXPECT_EQ(ProductTopicClasses::compile(wrong).error().code, base::Errc::kInvalidArgument);
  EXPECT_EQ(*ProductTopicClasses::compile({}), ProductTopicClasses::defaults());
}

}  // namespace
}  // namespace mooring::auth
