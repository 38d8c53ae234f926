#include "server/live_log.h"

#include <gtest/gtest.h>

namespace mooring::server {
namespace {

class Nowhere final : public journal::DeviceLog {
 public:
  void record(journal::Event) override { ++events; }
  int events = 0;
};

TEST(LiveLog, refusals_are_counted_by_their_cause_and_passed_on) {
  Nowhere next;
  LiveLog log(next);
  using journal::Action;
  for (const Action action : {Action::kRefused, Action::kRefused, Action::kOnline}) {
    journal::Event event;
    event.action = action;
    event.name = "wrong-signature";
    log.record(std::move(event));
  }
  EXPECT_EQ(next.events, 3);
  EXPECT_EQ(log.refusals(), (std::vector<std::pair<std::string, std::uint64_t>>{{"wrong-signature", 2}}));
}

}  // namespace
}  // namespace mooring::server
