// Statistics: what the server does, gathered each second from its loops, kept for ten minutes, told to the EventHub and
// to $SYS, and written for Prometheus (statistics_text.h). Each loop is asked by one task a second; nothing is counted
// with atomics where messages pass.
//
// Gathers on the main loop; the readers may be called on any thread and see the last second.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "auth/password_checker.h"
#include "gateway/connection_budget.h"
#include "journal/device_journal.h"
#include "metrics/histogram.h"
#include "net/timer_wheel.h"
#include "registry/registry_service.h"
#include "routing/retained_messages.h"
#include "server/live_log.h"
#include "server/loop_worker.h"
#include "server/statistics_text.h"
#include "server/system_topics.h"
#include "storage/rocks_session_store.h"
#include "web/event_hub.h"
#include "web/statistics_port.h"

namespace mooring::server {

class Statistics final : public web::StatisticsPort, private net::Timer {
 public:
  static constexpr std::int64_t kIntervalMs = 1000;

  // All outlive it.
  struct Parts {
    LoopWorker& main;
    std::vector<LoopWorker*> workers;  // all loops, the main one too
    const storage::RocksSessionStore& store;
    const routing::RetainedMessages& retained;
    const registry::RegistryService& registry;
    const gateway::ConnectionBudget& budget;
    const auth::PasswordChecker& passwords;      // of MQTT clients
    const auth::PasswordChecker& api_passwords;  // of the API and the console
    const journal::DeviceJournal& journal;
    const LiveLog& log;
    web::EventHub& hub;
    SystemTopics& system_topics;
  };
  explicit Statistics(const Parts& parts);
  ~Statistics() override;
  void start();

  std::string samples(std::size_t seconds) const override;
  std::string prometheus_text() const override;
  struct Totals {
    std::uint64_t connections = 0, sessions = 0, subscriptions = 0, retained_messages = 0;
  };
  Totals totals() const;

 private:
  struct Round;

  void on_timer(base::MonoMs now) override;
  void take(Round& round);
  SharedFigures shared_figures() const;

  const Parts parts_;
  const base::WallMs started_ms_;
  base::MonoMs last_round_ms_ = 0;
  std::vector<LoopView> last_loops_;   // main loop
  metrics::Histogram loop_delay_ms_;   // likewise
  std::shared_ptr<Statistics*> self_;  // cleared when this ends: answers under way find out
  mutable std::mutex mutex_;           // of the two below
  StatisticsSnapshot snapshot_;
  std::deque<std::string> samples_;
};

}  // namespace mooring::server
