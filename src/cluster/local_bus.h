// LocalCluster: joins the loops of one process with one routing::Bus each.
//
// A bus collects what its loop publishes, one batch per destination; flush() posts one task, hence one wake-up, per
// destination that has something. Interests and devices go to all other loops through the same batches, so their order
// against messages is kept. A batch that reaches kMaxBatchItems is posted at once.
//
// Attach every loop before any bus is used. bus(k) is used on loop k only; listener k is called on loop k's executor.
// Destroy the cluster after all loops have stopped running tasks; a listener that ends earlier is detached first.
#pragma once

#include <cstddef>
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
  // On that loop, or when it no longer runs: what still arrives is dropped.
  void detach(routing::LoopId loop);
  routing::Bus& bus(routing::LoopId loop);
  std::size_t loop_count() const { return ports_.size(); }

 private:
  class LocalBus;
  struct Port;
  std::vector<std::unique_ptr<Port>> ports_;
};

}  // namespace mooring::cluster
