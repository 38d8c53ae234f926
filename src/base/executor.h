// Executor: somewhere a task can be run later, from any thread. net::Loop is one; tests have their own.
#pragma once

#include "base/unique_function.h"

namespace mooring::base {

using Task = UniqueFunction<void()>;

class Executor {
 public:
  virtual ~Executor() = default;
  // Thread-safe. The task runs later on the executor's own thread, in the order posted by one thread; never inline.
  // Tasks still queued when the executor ends are destroyed without being run.
  virtual void post(Task task) = 0;
};

}  // namespace mooring::base
