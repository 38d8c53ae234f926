#include "registry/names.h"

#include <gtest/gtest.h>

#include "registry/tests/registry_fixture.h"

namespace mooring::registry {
namespace {

TEST(Names, product_key_is_1_to_20_letters_and_digits) {
  EXPECT_TRUE(check_product_key("pk"));
  EXPECT_TRUE(check_product_key("a1ExampleK1"));
  EXPECT_TRUE(check_product_key(std::string(20, 'a')));
  EXPECT_FALSE(check_product_key(""));
  EXPECT_FALSE(check_product_key(std::string(21, 'a')));
  EXPECT_FALSE(check_product_key("a-b"));
  EXPECT_FALSE(check_product_key("a&b"));
}

TEST(Names, device_name_allows_what_the_protocol_can_carry) {
  EXPECT_TRUE(check_device_name("Ev_01@line.2:A-b"));
  EXPECT_TRUE(check_device_name("d"));
  EXPECT_TRUE(check_device_name(std::string(64, 'd')));
  EXPECT_FALSE(check_device_name(std::string(65, 'd')));
  for (const char* bad : {"", "a b", "a/b", "a&b", "a|b", "a,b", "a+", "a#", "d\xc3\xa4", "a\n"}) {
    EXPECT_FALSE(check_device_name(bad)) << bad;
  }
}

TEST(Names, secret_messages_do_not_repeat_the_secret) {
  const auto refused = check_secret("hidden secret", "device secret");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message.find("hidden"), std::string::npos);
  EXPECT_TRUE(check_secret("secret", "device secret"));
  EXPECT_FALSE(check_secret("", "device secret"));
  EXPECT_FALSE(check_secret(std::string(65, 'x'), "device secret"));
  EXPECT_FALSE(check_secret("\xc3\xa4", "device secret"));
}

TEST(Names, topic_class_rules_of_section_13) {
  EXPECT_TRUE(parse_topic_class("user/echo:all"));
  EXPECT_TRUE(parse_topic_class("user/+/error:sub"));
  EXPECT_TRUE(parse_topic_class("user/deep/#:sub"));
  for (const char* bad :
       {"user/echo", "user/echo:both", ":all", "user//x:all", "user/x/:all", "/user:all", "user/+:pub", "user/#:all",
        "user/#/x:sub", "user/a-b:all", "user/a+:sub", "a/b/c/d/e/f:all"}) {
    EXPECT_FALSE(parse_topic_class(bad)) << bad;
  }
  EXPECT_EQ(parse_topic_class("user/echo:sub")->right, TopicRight::kSubscribe);
}

TEST(Names, topic_classes_are_bounded_and_distinct) {
  std::vector<TopicClass> classes;
  for (int i = 0; i < 50; ++i) classes.push_back({"user/t" + std::to_string(i), TopicRight::kAll});
  EXPECT_TRUE(check_topic_classes(classes));
  classes.push_back({"user/more", TopicRight::kAll});
  EXPECT_EQ(check_topic_classes(classes).error().code, base::Errc::kLimitExceeded);
  classes.resize(1);
  classes.push_back(classes.front());
  EXPECT_FALSE(check_topic_classes(classes));
}

TEST(Names, account_name_keeps_clear_of_devices_and_of_the_log) {
  for (const char* good : {"a", "back end 7", "someone@example.com", "\xE5\x90\x8E\xE5\x8F\xB0", "a/b:c"}) {
    EXPECT_TRUE(check_account_name(good)) << good;
  }
  EXPECT_TRUE(check_account_name(std::string(64, 'n')));
  std::string wide;
  for (int i = 0; i < 64; ++i) wide += "\xE5\x8F\xB0";
  EXPECT_TRUE(check_account_name(wide));
  EXPECT_FALSE(check_account_name(std::string(65, 'n')));
  for (const std::string& bad : {std::string(), std::string("dn&pk"), std::string("a|b"), std::string("a\nb"),
                                 std::string("a\0b", 3), std::string("\xff"), std::string("\x7f")}) {
    EXPECT_FALSE(check_account_name(bad)) << bad;
  }
}

TEST(Names, account_permission_is_a_right_and_a_filter) {
  const auto permission = parse_account_permission("subscribe:a:b/#");
  ASSERT_TRUE(permission) << permission.error().message;
  EXPECT_EQ(*permission, (AccountPermission{AccountRight::kSubscribe, "a:b/#"}));
  EXPECT_EQ(to_text(*permission), "subscribe:a:b/#");
  EXPECT_EQ(parse_account_permission("all:#")->right, AccountRight::kAll);
  EXPECT_EQ(parse_account_permission("Publish:x")->right, AccountRight::kPublish);
  for (const char* bad : {"", "#", "all", "all:", "pub:x", ":x", "write:x"}) {
    EXPECT_FALSE(parse_account_permission(bad)) << bad;
  }
  EXPECT_FALSE(check_account_permissions({{AccountRight::kAll, "#"}, {AccountRight::kAll, "#"}}));
  EXPECT_TRUE(check_account_permissions({{AccountRight::kPublish, "#"}, {AccountRight::kSubscribe, "#"}}));
}

TEST(Names, later_iot_ids_sort_later) {
  SeededRandom random;
  const std::string early = new_iot_id(random, 1'700'000'000'000);
  const std::string late = new_iot_id(random, 1'700'000'000'001);
  EXPECT_EQ(early.size(), 30U);
  EXPECT_LT(early.substr(0, 8), late.substr(0, 8));
  EXPECT_NE(early, new_iot_id(random, 1'700'000'000'000));
  EXPECT_TRUE(check_iot_id(early));
}

TEST(Names, texts_of_the_enumerations_round_trip) {
  for (const auto status :
       {DeviceStatus::kUnactive, DeviceStatus::kOnline, DeviceStatus::kOffline, DeviceStatus::kDisable}) {
    EXPECT_EQ(device_status_from_text(to_text(status)), status);
  }
  EXPECT_EQ(device_status_from_text("online"), DeviceStatus::kOnline);
  EXPECT_FALSE(device_status_from_text("asleep"));
  EXPECT_EQ(dynamic_registration_from_text("on-without-preregistration"),
            DynamicRegistration::kOnWithoutPreregistration);
  EXPECT_EQ(profile_from_text("mqtt"), Profile::kMqtt);
}

}  // namespace
}  // namespace mooring::registry
