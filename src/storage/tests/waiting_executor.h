// A thread that runs posted tasks, and a way to wait for what they bring.
#pragma once

#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/executor.h"
#include "session/ports.h"

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

// Calls of a store that wait for the answer.
inline base::Result<> save(session::SessionStore& store, base::Executor& executor, session::SessionRecord record,
                           session::Epoch epoch) {
  std::promise<base::Result<>> answer;
  store.save(std::move(record), epoch, executor, [&answer](base::Result<> result) { answer.set_value(result); });
  return answer.get_future().get();
}

inline base::Result<> erase(session::SessionStore& store, base::Executor& executor, const session::SessionKey& key,
                            session::Epoch epoch) {
  std::promise<base::Result<>> answer;
  store.erase(key, epoch, executor, [&answer](base::Result<> result) { answer.set_value(result); });
  return answer.get_future().get();
}

inline base::Result<std::optional<session::SessionRecord>> load(session::SessionStore& store, base::Executor& executor,
                                                                const session::SessionKey& key) {
  using Loaded = base::Result<std::optional<session::SessionRecord>>;
  std::promise<Loaded> answer;
  store.load(key, executor, [&answer](Loaded result) { answer.set_value(std::move(result)); });
  return answer.get_future().get();
}

}  // namespace mooring::storage
