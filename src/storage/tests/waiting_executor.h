// A thread that runs posted tasks.
#pragma once

#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

#include "base/executor.h"

namespace mooring::storage {

class WaitingExecutor final : public base::Executor {
 public:
  WaitingExecutor() : thread_([this] { run(); }) {}
  ~WaitingExecutor() override {
    post([this] { ended_ = true; });
    thread_.join();
  }
  void post(base::Task task) override {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    ready_.notify_one();
  }
  // Until everything posted so far has run.
  void wait_for_all() {
    std::promise<void> reached;
    post([&reached] { reached.set_value(); });
    reached.get_future().get();
  }
  std::thread::id id() const { return thread_.get_id(); }

 private:
  void run() {
    while (!ended_) {
      base::Task task;
      {
        std::unique_lock lock(mutex_);
        ready_.wait(lock, [this] { return !tasks_.empty(); });
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
      task();
    }
  }

  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<base::Task> tasks_;
  bool ended_ = false;  // of the thread
  std::thread thread_;
};

}  // namespace mooring::storage
