#include "api/audit_budget.h"

#include <gtest/gtest.h>

namespace mooring::api {
namespace {

class Clock final : public base::Clock {
 public:
  base::MonoMs mono_ms() const override { return now; }
  base::WallMs wall_ms() const override { return now; }
  base::MonoMs now = 5000;
};

TEST(AuditBudget, so_many_a_minute_and_how_many_were_left_out) {
  Clock clock;
  AuditBudget budget(clock);
  registry::AuditEntry entry;
  for (std::uint32_t i = 0; i < AuditBudget::kPerMinute; ++i) EXPECT_TRUE(budget.admit(entry));
  for (int i = 0; i < 7; ++i) EXPECT_FALSE(budget.admit(entry));
  EXPECT_EQ(entry.after, "");
  clock.now += 60'000;
  EXPECT_TRUE(budget.admit(entry));
  EXPECT_EQ(entry.after, R"({"failuresLeftOut":7})");
  registry::AuditEntry next;
  EXPECT_TRUE(budget.admit(next));
  EXPECT_EQ(next.after, "");
}

}  // namespace
}  // namespace mooring::api
