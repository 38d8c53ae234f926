#include "base/threads.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>

namespace mooring::base {
namespace {
constexpr int kStepsBack = 5;  // a third of the weight of those who do not
}  // namespace

void name_thread(const char* name) {
  ::pthread_setname_np(::pthread_self(), name);
}

void step_back() {
  const auto thread = static_cast<id_t>(::gettid());  // of Linux: the niceness is the thread's, not the process's
  errno = 0;
  const int now = ::getpriority(PRIO_PROCESS, thread);
  if (errno == 0) ::setpriority(PRIO_PROCESS, thread, now + kStepsBack);
}

}  // namespace mooring::base
