#include "auth/account_permissions.h"

#include <gtest/gtest.h>

namespace mooring::auth {
namespace {

AccountPermissions of(const std::vector<AccountPermission>& permissions) {
  return AccountPermissions(permissions);
}

TEST(AccountPermissions, nothing_is_allowed_without_a_permission) {
  const AccountPermissions none = of({});
  EXPECT_FALSE(none.may_publish("a"));
  EXPECT_FALSE(none.may_subscribe("a"));
}

TEST(AccountPermissions, each_right_is_its_own) {
  const AccountPermissions some =
      of({{TopicRight::kPublish, "in/+"}, {TopicRight::kSubscribe, "out/#"}, {TopicRight::kAll, "both"}});
  EXPECT_TRUE(some.may_publish("in/1"));
  EXPECT_FALSE(some.may_publish("in/1/2"));
  EXPECT_FALSE(some.may_subscribe("in/1"));
  EXPECT_TRUE(some.may_subscribe("out/+/x"));
  EXPECT_TRUE(some.may_subscribe("out"));
  EXPECT_FALSE(some.may_publish("out/1"));
  EXPECT_TRUE(some.may_publish("both"));
  EXPECT_TRUE(some.may_subscribe("both"));
  EXPECT_FALSE(some.may_subscribe("#"));
  EXPECT_FALSE(some.may_subscribe("+/x"));
}

TEST(AccountPermissions, a_back_end_sees_the_topics_of_devices) {
  const AccountPermissions backend = of({{TopicRight::kSubscribe, "/+/+/user/#"}});
  EXPECT_TRUE(backend.may_subscribe("/+/+/user/#"));
  EXPECT_TRUE(backend.may_subscribe("/a1/+/user/update"));
  EXPECT_TRUE(backend.may_subscribe("/a1/dev/user"));
  EXPECT_FALSE(backend.may_subscribe("/+/+/+/#"));
  EXPECT_FALSE(backend.may_subscribe("/sys/a1/dev/thing/#"));
}

TEST(AccountPermissions, a_leading_wildcard_leaves_dollar_topics_alone) {
  const AccountPermissions all = of({{TopicRight::kAll, "#"}});
  EXPECT_TRUE(all.may_subscribe("#"));
  EXPECT_TRUE(all.may_publish("a/b"));
  EXPECT_FALSE(all.may_subscribe("$SYS/#"));
  EXPECT_FALSE(all.may_publish("$SYS/x"));
  EXPECT_TRUE(of({{TopicRight::kSubscribe, "$SYS/#"}}).may_subscribe("$SYS/uptime"));
}

TEST(AccountPermissions, a_shared_subscription_is_judged_by_its_filter) {
  const AccountPermissions some = of({{TopicRight::kSubscribe, "jobs/#"}});
  EXPECT_TRUE(some.may_subscribe("$share/workers/jobs/+"));
  EXPECT_FALSE(some.may_subscribe("$share/workers/other"));
  EXPECT_FALSE(some.may_subscribe("$share/workers/$SYS/#"));
  for (const char* incomplete : {"$share/", "$share/workers", "$share/workers/", "$share//jobs/1"}) {
    EXPECT_FALSE(some.may_subscribe(incomplete)) << incomplete;
  }
  EXPECT_FALSE(of({{TopicRight::kSubscribe, "#"}}).may_subscribe("$share/workers/$SYS/#"));
  EXPECT_TRUE(of({{TopicRight::kSubscribe, "#"}}).may_subscribe("$share/workers/#"));
}

}  // namespace
}  // namespace mooring::auth
