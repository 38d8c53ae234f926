#include "server/latest_rules.h"

#include <gtest/gtest.h>

#include "gateway/authorizers.h"
#include "server/portions.h"

namespace mooring::server {
namespace {

registry::Product product(const std::string& key, std::vector<registry::TopicClass> classes) {
  registry::Product made;
  made.product_key = key;
  made.topic_classes = std::move(classes);
  return made;
}
const registry::TopicClass kNews{"user/news", registry::TopicRight::kSubscribe};

struct Loop final : base::Executor {
  void post(base::Task task) override { tasks.push_back(std::move(task)); }
  std::vector<base::Task> tasks;
};

// A class goes and comes back before the last portion of devices had its turn: who subscribed to it keeps it.
TEST(LatestRules, APortionThatWaitsIsUnderTheNewestRules) {
  struct Narrowed {
    base::DeviceKey device;
    std::shared_ptr<const gateway::ProductRules> product;
  };
  Loop loop;
  LatestRules latest;
  std::vector<std::string> keeps;
  Portions<Narrowed> portions(loop, 1, [&](Narrowed& one) {
    const gateway::DeviceAuthorizer authorizer(one.device, one.product, 0, {128, 7});
    const std::string topic = "/pk/" + one.device.device_name + "/user/news";
    if (authorizer.may_subscribe(topic) == broker::Authorizer::Verdict::kAllowed)
      keeps.push_back(one.device.device_name);
  });
  const auto change = [&](std::vector<registry::TopicClass> classes) {
    const auto rules = latest.put(product("pk", std::move(classes)));
    portions.add({{{"pk", "a"}, rules}, {{"pk", "b"}, rules}});
  };
  change({});
  EXPECT_TRUE(keeps.empty()) << "the first portion was under the rules of its time";
  change({kNews});
  while (!loop.tasks.empty()) {
    auto tasks = std::move(loop.tasks);
    loop.tasks.clear();
    for (auto& task : tasks) task();
  }
  EXPECT_EQ(keeps, (std::vector<std::string>{"b", "a", "b"}));
}

TEST(LatestRules, WhatNobodyHoldsIsForgotten) {
  LatestRules latest;
  auto held = latest.put(product("held", {}));
  for (int i = 0; i < 100; ++i) latest.put(product("pk" + std::to_string(i), {}));
  EXPECT_LE(latest.size(), 2U);
  EXPECT_EQ(latest.put(product("held", {kNews})), held);
}

}  // namespace
}  // namespace mooring::server
