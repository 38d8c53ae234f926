#include "net/listener.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <functional>

#include "net/loop.h"
#include "net/socket_address.h"
#include "net/unique_fd.h"

namespace {

// What the kernel answers a process without descriptors. Really taking all of them away would starve the sanitizers of
// those that they look at memory with.
bool no_descriptors = false;

}  // namespace

extern "C" int accept4(int fd, sockaddr* address, socklen_t* size, int flags) {
  if (!no_descriptors) return static_cast<int>(::syscall(SYS_accept4, fd, address, size, flags));
  errno = EMFILE;
  return -1;
}

namespace mooring::net {
namespace {

struct Step : Timer {
  std::function<void()> run;
  void on_timer(base::MonoMs) override { run(); }
};

double cpu_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

// When another thread took the descriptor that was kept in reserve, a backlog kept the loop spinning.
TEST(Listener, WaitsForDescriptorsWithoutSpinning) {
  auto loop = Loop::create();
  ASSERT_TRUE(loop);
  auto fd = open_listener(*SocketAddress::parse("127.0.0.1", 0), true);
  ASSERT_TRUE(fd);
  const auto address = bound_address(*fd);
  ASSERT_TRUE(address);
  UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  int accepted = 0;
  Listener listener(**loop, std::move(*fd), [&](UniqueFd, const SocketAddress&) { ++accepted; });
  ASSERT_TRUE(listener.start());
  no_descriptors = true;
  ASSERT_EQ(::connect(client.get(), address->data(), address->size()), 0);
  const double before = cpu_ms();
  Step freed;
  freed.run = [&] {
    EXPECT_LT(cpu_ms() - before, 60) << "a tenth of the time";
    EXPECT_EQ(accepted, 0);
    no_descriptors = false;
  };
  Step end;
  end.run = [&] { (*loop)->stop(); };
  (*loop)->timers().schedule(freed, (*loop)->now_ms() + 600);
  (*loop)->timers().schedule(end, (*loop)->now_ms() + 1200);
  (*loop)->run();
  EXPECT_EQ(accepted, 1);
}

}  // namespace
}  // namespace mooring::net
