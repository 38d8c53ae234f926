// What the statistics say, as text. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "journal/device_journal.h"
#include "metrics/histogram.h"
#include "registry/registry_service.h"
#include "server/loop_worker.h"
#include "storage/rocks_session_store.h"

namespace mooring::server {

// Of one loop; since the start where nothing else is said.
struct LoopView {
  std::int64_t busy_ms = 0;
  double busy_share = 0;          // of the last second; not of view_of()
  std::uint64_t connections = 0;  // open now
  std::uint64_t accepted = 0;
  std::uint64_t wake_ups = 0;
  cluster::LocalCluster::Arrivals arrivals;
};
LoopView view_of(const LoopReport& report);

// What a round through all loops has found.
struct StatisticsSnapshot {
  base::WallMs at_ms = 0;
  LoopReport sum;
  std::vector<LoopView> loops;
  metrics::Histogram loop_delay_ms;                             // from asking a loop to its answer, since the start
  std::vector<std::pair<std::string, std::uint64_t>> refusals;  // by cause
  std::uint64_t connections = 0;
};

// What does not belong to a loop, as it is now.
struct SharedFigures {
  base::WallMs started_ms = 0;
  std::uint64_t connections_refused = 0;
  std::uint64_t retained_messages = 0;
  storage::RocksSessionStore::Stats store;
  registry::ServiceCounters registry;
  std::uint64_t passwords_waiting = 0;      // of MQTT clients
  std::uint64_t api_passwords_waiting = 0;  // of the API and the console
  journal::JournalCounters log;
};

// The JSON of one second, as GET /api/v1/statistics and live events show it.
std::string sample_text(const StatisticsSnapshot& snapshot);

// docs/operations/metrics.md lists what is in it.
std::string prometheus_text(const StatisticsSnapshot& snapshot, const SharedFigures& shared);

}  // namespace mooring::server
