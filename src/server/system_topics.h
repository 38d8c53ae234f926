// SystemTopics: what the server tells of itself under "$SYS/broker/", as retained messages, to accounts that may read
// them. With every second round of the Statistics what has changed is published. Values are decimal numbers as text;
// counters count from the start of the server. docs/operations/system-topics.md lists the topics.
//
// On the main thread's loop; all parts outlive it.
#pragma once

#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "routing/retained_messages.h"
#include "server/loop_worker.h"
#include "storage/rocks_session_store.h"

namespace mooring::server {

class SystemTopics {
 public:
  SystemTopics(LoopWorker& main, const storage::RocksSessionStore& store, const routing::RetainedMessages& retained);
  void start();
  // What all loops together report, each second.
  void take(const LoopReport& sum);

 private:
  static constexpr std::uint32_t kRoundsPerPublication = 2;

  void publish(const LoopReport& sum);
  void tell(const std::string& topic, std::string value);

  LoopWorker& main_;
  const storage::RocksSessionStore& store_;
  const routing::RetainedMessages& retained_;
  const base::MonoMs started_ms_;
  std::uint32_t rounds_ = 0;
  std::unordered_map<std::string, std::string> told_;
};

}  // namespace mooring::server
