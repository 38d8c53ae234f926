#include "net/listener.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <optional>
#include <vector>

#include "net/loop.h"
#include "net/socket_address.h"
#include "net/unique_fd.h"

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

// Takes all descriptors there are, under a limit that is not far, until it is destroyed.
class NoDescriptors {
 public:
  NoDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &usual_);
    rlimit low = usual_;
    low.rlim_cur = 256;
    ::setrlimit(RLIMIT_NOFILE, &low);
    for (int fd = 0; (fd = ::dup(STDERR_FILENO)) >= 0;) taken_.emplace_back(fd);
    EXPECT_EQ(errno, EMFILE);
  }
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &usual_); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit usual_{};
  std::vector<UniqueFd> taken_;
};

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
  std::optional<NoDescriptors> none(std::in_place);
  Listener listener(**loop, std::move(*fd), [&](UniqueFd, const SocketAddress&) { ++accepted; });  // has no reserve
  ASSERT_TRUE(listener.start());
  ASSERT_EQ(::connect(client.get(), address->data(), address->size()), 0);
  const double before = cpu_ms();
  Step freed;
  freed.run = [&] {
    EXPECT_LT(cpu_ms() - before, 60) << "a tenth of the time";
    EXPECT_EQ(accepted, 0);
    none.reset();
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
