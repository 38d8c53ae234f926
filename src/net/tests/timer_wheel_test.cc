#include "net/timer_wheel.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <vector>

namespace mooring::net {
namespace {

struct Probe : Timer {
  base::MonoMs deadline = 0;
  base::MonoMs fired_at = -1;
  int count = 0;
  TimerWheel* again = nullptr;
  void on_timer(base::MonoMs now) override {
    fired_at = now;
    ++count;
    if (again != nullptr) again->schedule(*this, now + 1000);
  }
};

TEST(TimerWheel, FiresNeverEarlyAndAtMostATickLate) {
  std::mt19937 random(1);
  constexpr base::MonoMs kStart = 123'456'789;
  TimerWheel wheel(kStart);
  std::vector<std::unique_ptr<Probe>> probes;
  for (int i = 0; i < 2000; ++i) {
    probes.push_back(std::make_unique<Probe>());
    const int scale = 1 << (random() % 24);
    probes.back()->deadline = kStart + static_cast<base::MonoMs>(random() % static_cast<unsigned>(scale + 1));
    wheel.schedule(*probes.back(), probes.back()->deadline);
  }
  base::MonoMs now = kStart;
  while (true) {
    const int wait = wheel.wait_ms(now);
    if (wait < 0) break;
    now += std::max(wait, 1);
    wheel.advance(now);
  }
  for (const auto& probe : probes) {
    ASSERT_EQ(probe->count, 1) << probe->deadline - kStart;
    EXPECT_GE(probe->fired_at, probe->deadline);
    EXPECT_LE(probe->fired_at, probe->deadline + 64);
  }
}

TEST(TimerWheel, ACancelledTimerStaysSilentAndADestroyedOneIsForgotten) {
  TimerWheel wheel(0);
  Probe cancelled;
  wheel.schedule(cancelled, 100);
  cancelled.cancel();
  {
    Probe gone;
    wheel.schedule(gone, 100);
  }
  wheel.advance(10'000);
  EXPECT_EQ(cancelled.count, 0);
}

TEST(TimerWheel, ATimerMayScheduleItselfAgain) {
  TimerWheel wheel(0);
  Probe probe;
  probe.again = &wheel;
  wheel.schedule(probe, 1000);
  for (base::MonoMs now = 0; now <= 10'500; now += 10) wheel.advance(now);
  EXPECT_GE(probe.count, 9);
  EXPECT_LE(probe.count, 10);
}

TEST(TimerWheel, FarDeadlinesSurviveManyTurnsOfTheLastLevel) {
  TimerWheel wheel(0);
  Probe probe;
  const base::MonoMs month = 31LL * 24 * 3600 * 1000;
  wheel.schedule(probe, month);
  wheel.advance(month - 1000);
  EXPECT_EQ(probe.count, 0);
  wheel.advance(month + 64);
  EXPECT_EQ(probe.count, 1);
}

}  // namespace
}  // namespace mooring::net
