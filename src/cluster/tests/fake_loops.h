// Loops without threads: tasks wait in one queue for each loop, and a seed decides whose turn it is.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "base/executor.h"

namespace mooring::cluster {

class FakeLoop final : public base::Executor {
 public:
  void post(base::Task task) override {
    posts_ += 1;
    tasks_.push_back(std::move(task));
  }
  bool idle() const { return tasks_.empty(); }
  std::size_t posts() const { return posts_; }
  void run_one() {
    base::Task task = std::move(tasks_.front());
    tasks_.pop_front();
    task();
  }

 private:
  std::deque<base::Task> tasks_;
  std::size_t posts_ = 0;  // so far
};

class FakeLoops {
 public:
  explicit FakeLoops(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) loops_.push_back(std::make_unique<FakeLoop>());
  }
  FakeLoop& operator[](std::size_t index) { return *loops_[index]; }
  std::size_t size() const { return loops_.size(); }

  // Runs one task of a loop picked at random; `before` is told which. False when all are idle.
  template <class Before>
  bool run_one(std::mt19937& random, Before before) {
    std::vector<std::size_t> busy;
    for (std::size_t i = 0; i < loops_.size(); ++i) {
      if (!loops_[i]->idle()) busy.push_back(i);
    }
    if (busy.empty()) return false;
    const std::size_t loop = busy[random() % busy.size()];
    before(loop);
    loops_[loop]->run_one();
    return true;
  }

 private:
  std::vector<std::unique_ptr<FakeLoop>> loops_;
};

}  // namespace mooring::cluster
