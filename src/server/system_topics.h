// SystemTopics: what the server tells of itself under "$SYS/broker/", as retained messages, to accounts that may read
// them. Every kIntervalMs the loops are asked for their counters; what changed is published. Values are decimal numbers
// as text; counters count from the start of the server. docs/operations/system-topics.md lists the topics.
//
// On the main thread's loop; the workers outlive it.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "net/timer_wheel.h"
#include "routing/retained_messages.h"
#include "server/loop_worker.h"
#include "storage/rocks_session_store.h"

namespace mooring::server {

class SystemTopics final : private net::Timer {
 public:
  static constexpr base::MonoMs kIntervalMs = 2000;

  SystemTopics(LoopWorker& main, std::vector<LoopWorker*> workers, const storage::RocksSessionStore& store,
               const routing::RetainedMessages& retained);
  ~SystemTopics() override { cancel(); }
  void start();

 private:
  struct Round;  // of asking all loops

  void on_timer(base::MonoMs now) override;
  void publish(const LoopReport& sum);
  void tell(const std::string& topic, std::string value);

  LoopWorker& main_;
  const std::vector<LoopWorker*> workers_;
  const storage::RocksSessionStore& store_;
  const routing::RetainedMessages& retained_;
  const base::MonoMs started_ms_;
  std::shared_ptr<SystemTopics*> self_;  // cleared at the end: answers under way find out
  std::unordered_map<std::string, std::string> told_;
};

}  // namespace mooring::server
