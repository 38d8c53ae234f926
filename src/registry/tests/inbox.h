// Inbox: an executor that a test empties itself, on its own thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <utility>

#include "base/executor.h"

namespace mooring::registry {

class Inbox final : public base::Executor {
 public:
  void post(base::Task task) override {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    arrived_.notify_one();
  }
  // The next task; empty when none came within a minute.
  base::Task next() {
    std::unique_lock lock(mutex_);
    if (!arrived_.wait_for(lock, std::chrono::seconds(60), [this] { return !tasks_.empty(); })) return {};
    base::Task task = std::move(tasks_.front());
    tasks_.pop_front();
    return task;
  }
  // Runs so many tasks; false when one did not come within a minute.
  [[nodiscard]] bool run(std::size_t count) {
    return run_until([left = count]() mutable { return left-- == 0; });
  }
  // Runs tasks until `done`; false when none came within a minute.
  template <class Done>
  [[nodiscard]] bool run_until(Done done) {
    while (!done()) {
      base::Task task = next();
      if (!task) return false;
      task();
    }
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<base::Task> tasks_;
};

}  // namespace mooring::registry
