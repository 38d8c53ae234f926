#include "net/loop.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <functional>
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

TEST(Loop, ManyTasksCallItOnce) {
  auto loop = Loop::create();
  ASSERT_TRUE(loop);
  int done = 0;
  (*loop)->post([&] {
    std::thread other([&] {
      for (int i = 0; i < 1'000; ++i) (*loop)->post([&] { ++done; });
      (*loop)->stop();
    });
    other.join();  // they all come while it works
  });
  (*loop)->run();
  EXPECT_EQ(done, 1'000);
  EXPECT_LE((*loop)->wake_ups(), 2U) << "for the first task, and for all of the others";
}

struct Countdown : Timer {
  Loop* loop = nullptr;
  void on_timer(base::MonoMs) override { loop->stop(); }
};

class SteppedClock final : public base::Clock {
 public:
  base::MonoMs mono_ms() const override { return now; }
  base::WallMs wall_ms() const override { return now; }
  base::MonoMs now = 1'000'000;
};

TEST(Loop, WhatWasDoneBeforeItRanIsNotItsWork) {
  SteppedClock clock;
  auto loop = Loop::create(clock);
  ASSERT_TRUE(loop);
  clock.now += 60'000;  // many sessions are restored
  (*loop)->post([&] {
    clock.now += 7;
    (*loop)->post([&] { (*loop)->stop(); });
  });
  (*loop)->run();
  EXPECT_LE((*loop)->busy_ms(), 7);
}

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

struct Reader : LoopClient {
  Loop* loop = nullptr;
  std::vector<std::string>* seen = nullptr;
  std::string name;
  void on_ready(std::uint32_t) override {
    seen->push_back(name + " ready");
    loop->stop();
  }
  void on_turn_end() override { seen->push_back(name + " ends"); }
};

// Whoever posts and then writes to a peer may rely on the task running before the peer's answer is seen.
TEST(Loop, WhatWasPostedBeforeASocketBecameReadyRunsFirst) {
  auto loop = Loop::create();
  ASSERT_TRUE(loop);
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  const UniqueFd near(pair[0]);
  const UniqueFd far(pair[1]);
  std::vector<std::string> seen;
  Reader reader;
  reader.loop = loop->get();
  reader.seen = &seen;
  reader.name = "socket";
  ASSERT_TRUE((*loop)->watch(near.get(), reader, Loop::Watch::kLevelRead));
  // Timers fire late in a turn, so the next one finds the task and the socket together.
  struct Sender : Timer {
    std::function<void()> send;
    void on_timer(base::MonoMs) override { send(); }
  } sender;
  sender.send = [&] {
    (*loop)->post([&seen] { seen.emplace_back("task"); });
    ASSERT_EQ(::write(far.get(), "x", 1), 1);
  };
  (*loop)->timers().schedule(sender, base::system_clock().mono_ms() + 10);
  (*loop)->run();
  (*loop)->unwatch(near.get());
  EXPECT_EQ(seen, (std::vector<std::string>{"task", "socket ready"}));
}

// What is read of a burst is answered before more of it is read; what is rationed by the turn is not let through anew.
TEST(Loop, ABurstIsTakenInPartsOfOneTurn) {
  constexpr std::size_t kSockets = 150;
  auto loop = Loop::create();
  ASSERT_TRUE(loop);
  struct Answerer : LoopClient {
    Loop* loop = nullptr;
    std::size_t* unanswered = nullptr;
    std::size_t most_unanswered = 0;
    std::uint64_t turn = 0;
    void on_ready(std::uint32_t) override {
      turn = loop->turn();
      most_unanswered = ++*unanswered;
      loop->call_at_turn_end(*this);
    }
    void on_turn_end() override { --*unanswered; }
  };
  std::size_t unanswered = 0;
  std::array<Answerer, kSockets> answerers;
  std::vector<UniqueFd> sockets;
  for (Answerer& answerer : answerers) {
    int pair[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    sockets.emplace_back(pair[0]);
    sockets.emplace_back(pair[1]);
    answerer.loop = loop->get();
    answerer.unanswered = &unanswered;
    ASSERT_TRUE((*loop)->watch(pair[0], answerer, Loop::Watch::kEdge));
    ASSERT_EQ(::write(pair[1], "x", 1), 1);
  }
  Countdown timer;
  timer.loop = loop->get();
  (*loop)->timers().schedule(timer, base::system_clock().mono_ms() + 50);
  (*loop)->run();
  EXPECT_EQ(unanswered, 0U);
  for (const Answerer& answerer : answerers) {
    EXPECT_EQ(answerer.turn, 1U);
    EXPECT_GE(answerer.most_unanswered, 1U) << "it was never ready";
    EXPECT_LE(answerer.most_unanswered, 64U);
  }
}

TEST(Loop, TheEndOfATurnHasAnOrder) {
  auto loop = Loop::create();
  ASSERT_TRUE(loop);
  std::vector<std::string> seen;
  std::array<Reader, 3> clients;
  for (std::size_t i = 0; i < clients.size(); ++i) {
    clients[i].seen = &seen;
    clients[i].name = std::to_string(i);
  }
  (*loop)->post([&] {
    (*loop)->call_at_turn_end(clients[0]);
    (*loop)->call_at_turn_end(clients[1]);
    (*loop)->call_first_at_turn_end(clients[2]);
    (*loop)->call_first_at_turn_end(clients[2]);
    (*loop)->stop();
  });
  (*loop)->run();
  EXPECT_EQ(seen, (std::vector<std::string>{"2 ends", "0 ends", "1 ends"}));
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
  EXPECT_EQ(SocketAddress::parse("0.10.200.255", 65535)->to_text(), "0.10.200.255:65535");
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
