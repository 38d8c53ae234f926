#include "stop_signal.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/assert.h"

namespace mooring::app {
namespace {

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

StopSignal::StopSignal() {
  const sigset_t set = stop_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  fd_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  MOORING_ASSERT(fd_ >= 0);
}

StopSignal::~StopSignal() {
  signalfd_siginfo info;
  while (read(fd_, &info, sizeof info) > 0) {
  }
  close(fd_);
  const sigset_t set = stop_signals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

bool StopSignal::raised() const {
  pollfd wait{fd_, POLLIN, 0};
  return poll(&wait, 1, 0) > 0;
}

void StopSignal::sleep(int timeout_ms) const {
  pollfd wait{fd_, POLLIN, 0};
  poll(&wait, 1, timeout_ms);
}

}  // namespace mooring::app
