#include "broker/life_cycle.h"

#include <gtest/gtest.h>

namespace mooring::broker {
namespace {

TEST(LifeCycle, TheMessageOfTheSpecification) {
  LifeCycleEvent event{LifeCycleEvent::Action::kCreate, {"pk", "dn"}, "iot", "s3cret"};
  EXPECT_EQ(life_cycle_topic(event.device), "/pk/dn/thing/lifecycle");
  EXPECT_EQ(life_cycle_message(event, 1'510'292'739'881),
            R"({"action":"create","iotId":"iot","productKey":"pk","deviceName":"dn","deviceSecret":"s3cret",)"
            R"("messageCreateTime":1510292739881})");
}

TEST(LifeCycle, TheSecretIsToldOnce) {
  using Action = LifeCycleEvent::Action;
  for (const auto& [action, name] :
       {std::pair{Action::kDelete, "delete"}, {Action::kEnable, "enable"}, {Action::kDisable, "disable"}}) {
    const std::string message = life_cycle_message({action, {"pk", "dn"}, "iot", "s3cret"}, 5);
    EXPECT_EQ(message.find("s3cret"), std::string::npos);
    EXPECT_NE(message.find(std::string(R"("action":")") + name), std::string::npos) << message;
    EXPECT_NE(message.find(R"("deviceSecret":"")"), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace mooring::broker
