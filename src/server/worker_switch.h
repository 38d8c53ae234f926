// WorkerSwitch: takes connections from one loop worker to another.
#pragma once

#include <memory>
#include <vector>

#include "gateway/connection.h"
#include "gateway/loop_switch.h"
#include "server/loop_worker.h"

namespace mooring::server {

class WorkerSwitch final : public gateway::LoopSwitch {
 public:
  // By loop id, before any of them runs. They outlive every send().
  void set_workers(std::vector<LoopWorker*> workers) { workers_ = std::move(workers); }

  void send(session::LoopId loop, std::unique_ptr<gateway::Connection> connection) override {
    LoopWorker* worker = workers_.at(loop);
    worker->loop().post(
        [worker, moving = std::move(connection)]() mutable { worker->gateway().adopt(std::move(moving)); });
  }

 private:
  std::vector<LoopWorker*> workers_;
};

}  // namespace mooring::server
