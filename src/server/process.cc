#include "server/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>

namespace mooring::server {

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

void reserve_descriptors(std::uint64_t count) {
  constexpr std::uint64_t kMost = 1 << 20;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const auto last = std::min<std::uint64_t>({limit.rlim_cur, count, kMost});
  if (last < 2) return;
  // The table grows for it and stays, though the descriptor goes at once.
  const net::UniqueFd any(::eventfd(0, EFD_CLOEXEC));
  if (any) net::UniqueFd(::fcntl(any.get(), F_DUPFD_CLOEXEC, static_cast<int>(last - 1)));
}

base::Result<net::UniqueFd> take_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  net::UniqueFd signals(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!signals) return base::fail(base::Errc::kIo, "cannot watch for signals");
  return signals;
}

}  // namespace mooring::server
