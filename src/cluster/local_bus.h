// LocalCluster: joins the loops of one process with one routing::Bus each.
//
// A bus collects what its loop gives, one batch per destination; flush() posts one task, hence one wake-up, per
// destination that has something. Messages, interests, counts of shared subscriptions and sync() go through the same
// batches, so their order is kept. A batch that reaches kMaxBatchItems is posted at once.
//
// What arrives where nobody listens any more, because the loop has been detached or its executor ended with tasks still
// queued, is dropped: a message's share of its receipt is settled as failed, for it may have been wanted there, and
// sync() is answered.
//
// Attach every loop before any bus is used. bus(k) is used on loop k only; listener k is called on loop k's executor.
// Destroy the cluster after all loops have stopped running tasks; a listener that ends earlier is detached first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/executor.h"
#include "routing/bus.h"

namespace mooring::cluster {

class LocalCluster {
 public:
  static constexpr std::size_t kMaxBatchItems = 1024;

  explicit LocalCluster(std::size_t loops);  // loops 0 .. loops-1; at most 65,535
  LocalCluster(const LocalCluster&) = delete;
  LocalCluster& operator=(const LocalCluster&) = delete;
  ~LocalCluster();

  void attach(routing::LoopId loop, base::Executor& executor, routing::BusListener& listener);
  // On that loop, or when it no longer runs. What still arrives is dropped, and so is what its bus has collected since
  // its last flush(). Its own calls of sync() get no answer any more: their functions are destroyed.
  // A loop's executor may end after it has been detached and all other loops have stopped running tasks.
  void detach(routing::LoopId loop);
  routing::Bus& bus(routing::LoopId loop);
  // What other loops have sent here. On that loop.
  struct Arrivals {
    std::uint64_t batches = 0;
    std::uint64_t messages = 0;  // those for shared subscriptions too
  };
  const Arrivals& arrivals(routing::LoopId loop) const;
  std::size_t loop_count() const { return ports_.size(); }

 private:
  class LocalBus;
  struct Port;
  std::vector<std::unique_ptr<Port>> ports_;
};

}  // namespace mooring::cluster
