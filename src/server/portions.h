// Portions: much to do on one loop, done a portion a turn and in the order given, so that others get their turn between
// two portions. Lives on that loop, which outlives it and runs nothing any more when it is destroyed.
#pragma once

#include <cstddef>
#include <deque>
#include <utility>
#include <vector>

#include "base/executor.h"

namespace mooring::server {

template <class T>
class Portions {
 public:
  using Each = base::UniqueFunction<void(T&)>;
  Portions(base::Executor& loop, std::size_t at_once, Each each)
      : loop_(loop), at_once_(at_once), each_(std::move(each)) {}

  // Behind what waits already. The first portion is done at once if nothing does. Not bounded: the caller is.
  void add(std::vector<T> more) {
    const bool idle = waiting_.empty();
    for (T& one : more) waiting_.push_back(std::move(one));
    if (idle) do_some();
  }

 private:
  void do_some() {
    for (std::size_t i = 0; i < at_once_ && !waiting_.empty(); ++i) {
      each_(waiting_.front());
      waiting_.pop_front();
    }
    if (!waiting_.empty()) loop_.post([this] { do_some(); });
  }

  base::Executor& loop_;
  const std::size_t at_once_;
  Each each_;
  std::deque<T> waiting_;
};

}  // namespace mooring::server
