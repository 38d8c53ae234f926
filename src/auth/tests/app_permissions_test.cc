#include "auth/app_permissions.h"

#include <gtest/gtest.h>

namespace mooring::auth {
namespace {

class AppPermissionsTest : public ::testing::Test {
 protected:
  Permission publish(std::string_view topic) const { return app.may_publish(topic, device); }
  Permission subscribe(std::string_view filter) const { return app.may_subscribe(filter); }

  const base::DeviceKey key{"pk", "dn"};
  const DevicePermissions device{key, *ProductTopicClasses::defaults(), 0};
  const AppPermissions app{key};
};

TEST_F(AppPermissionsTest, sends_what_the_device_may_receive) {
  EXPECT_EQ(publish("/pk/dn/user/get"), Permission::kAllowed);
  EXPECT_EQ(publish("/sys/pk/dn/thing/service/property/set"), Permission::kAllowed);
  EXPECT_EQ(publish("/pk/dn/user/update"), Permission::kNotPermitted) << "that is what the device sends";
  EXPECT_EQ(publish("/pk/dn/user/other"), Permission::kNotPermitted) << "no topic class";
}

TEST_F(AppPermissionsTest, sends_nothing_that_others_receive_too) {
  for (const std::string_view topic : {"/broadcast/pk/all", "/ext/notify", "/pk/other/user/get", "/pk/dnx/user/get",
                                       "/ota/device/upgrade/pk/dn", "/shadow/get/pk/dn", "$SYS/x"}) {
    EXPECT_EQ(publish(topic), Permission::kNotPermitted) << topic;
  }
}

TEST_F(AppPermissionsTest, watches_everything_of_the_device) {
  for (const std::string_view filter :
       {"/pk/dn/#", "/pk/dn/user/+", "/pk/dn/user/update", "/sys/pk/dn/thing/#", "/as/mqtt/status/pk/dn",
        "/shadow/update/pk/dn", "/ota/device/progress/pk/dn"}) {
    EXPECT_EQ(subscribe(filter), Permission::kAllowed) << filter;
  }
}

TEST_F(AppPermissionsTest, watches_nothing_of_others) {
  for (const std::string_view filter :
       {"#", "+/#", "/#", "/pk/#", "/pk/+/user/get", "/+/dn/#", "/pk/dnx/#", "/as/mqtt/status/pk/+",
        "/as/mqtt/status/#", "/sys/#", "/ota/device/#", "/broadcast/pk/#", "$SYS/#"}) {
    EXPECT_EQ(subscribe(filter), Permission::kNotPermitted) << filter;
  }
}

TEST_F(AppPermissionsTest, says_which_filters_are_of_use) {
  EXPECT_TRUE(app.within_publish("/pk/dn/user/#"));
  EXPECT_FALSE(app.within_publish("/pk/+/user/#"));
  EXPECT_TRUE(app.within_subscribe("/pk/dn/user/#"));
  EXPECT_FALSE(app.within_subscribe("/pk/#"));
}

}  // namespace
}  // namespace mooring::auth
