#include "net/loop.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <thread>

#include "net/listener.h"
#include "net/socket_address.h"

namespace mooring::net {
namespace {

TEST(Loop, RunsPostedTasksOfOneThreadInOrder) {
  auto loop = Loop::create();
  ASSERT_TRUE(loop);
  std::vector<int> seen;
  std::thread poster([&] {
    for (int i = 0; i < 10'000; ++i) (*loop)->post([&seen, i] { seen.push_back(i); });
    (*loop)->stop();
  });
  (*loop)->run();
  poster.join();
  ASSERT_EQ(seen.size(), 10'000U);
  for (int i = 0; i < 10'000; ++i) ASSERT_EQ(seen[static_cast<std::size_t>(i)], i);
}

struct Countdown : Timer {
  Loop* loop = nullptr;
  void on_timer(base::MonoMs) override { loop->stop(); }
};

TEST(Loop, ATimerWakesAnIdleLoop) {
  auto loop = Loop::create();
  ASSERT_TRUE(loop);
  Countdown timer;
  timer.loop = loop->get();
  const base::MonoMs begin = base::system_clock().mono_ms();
  (*loop)->timers().schedule(timer, begin + 100);
  (*loop)->run();
  const base::MonoMs took = base::system_clock().mono_ms() - begin;
  EXPECT_GE(took, 100);
  EXPECT_LT(took, 2000);
}

TEST(Loop, TasksLeftAtTheEndAreDestroyedNotRun) {
  auto counter = std::make_shared<int>(0);
  {
    auto loop = Loop::create();
    ASSERT_TRUE(loop);
    (*loop)->post([counter] { ++*counter; });
  }
  EXPECT_EQ(*counter, 0);
  EXPECT_EQ(counter.use_count(), 1);
}

TEST(Listener, ABusyPortIsRefusedEvenThoughListenersShareIt) {
  auto any = SocketAddress::parse("127.0.0.1", 0);
  ASSERT_TRUE(any);
  auto first = open_listener(*any, true);
  ASSERT_TRUE(first);
  auto address = bound_address(*first);
  ASSERT_TRUE(address);
  auto second = open_listener(*address, false);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, base::Errc::kUnavailable);
  EXPECT_NE(second.error().message.find("--listen"), std::string::npos);
}

TEST(SocketAddress, TextAndBlocks) {
  EXPECT_EQ(SocketAddress::parse("[::1]", 443)->to_text(), "[::1]:443");
  EXPECT_EQ(SocketAddress::parse("::ffff:10.1.2.3", 1)->host(), "10.1.2.3");
  EXPECT_TRUE(SocketAddress::parse("127.8.8.8", 1)->is_loopback());
  EXPECT_FALSE(SocketAddress::parse("host.example", 1));
  const auto block = AddressBlock::parse("10.0.0.0/9");
  ASSERT_TRUE(block);
  EXPECT_TRUE(block->contains(*SocketAddress::parse("10.127.0.1", 1)));
  EXPECT_FALSE(block->contains(*SocketAddress::parse("10.128.0.1", 1)));
  EXPECT_FALSE(AddressBlock::parse("10.0.0.0/33"));
}

}  // namespace
}  // namespace mooring::net
