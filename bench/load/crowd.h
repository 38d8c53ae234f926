// Crowd: the part of a fleet that makes a commotion, in processes of its own. What so many devices compute is many
// times what the measured ones have to do, so it must not stand between an answer to those and its time of arrival.
//
// A commotion is a round; there may be several, one after the other. Made before anything else is opened: it forks.
// finish() or the destructor ends the processes, and they end with their maker. One thread.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "histogram.h"
#include "run.h"
#include "run_options.h"

namespace CLI {
class App;
}

namespace mooring::bench {

inline constexpr std::uint32_t kMaxCrowdProcesses = 16;
inline constexpr std::uint32_t kMaxCrowdRounds = 4;

struct CrowdOptions {
  RunOptions run;              // the fleet
  std::uint32_t measured = 0;  // so many of it, the first ones, are not of the crowd
  std::uint32_t processes = 2;
  std::uint32_t at_once = 200;  // being opened, of each process: more would wait for the process, not for the server
  int nice = 10;                // of those processes: what a device computes is no load of the server's machine
  std::uint32_t rounds = 1;

  std::uint32_t size() const { return run.connections - measured; }
};

// --PREFIX-processes, --PREFIX-at-once, --PREFIX-nice. `options` must outlive the parse.
void add_crowd_options(CLI::App& command, CrowdOptions& options, const std::string& prefix);

// What became of the tries to sign in, in one round.
struct CrowdReport {
  std::uint64_t attempts = 0;
  std::uint64_t accepted = 0;
  std::uint64_t resumed = 0;      // with their TLS session, of the accepted
  std::uint64_t refused = 0;      // with code 4
  std::uint64_t turned_away = 0;  // with code 3, "not now"
  std::uint64_t closed = 0;       // without an answer, or with another
  std::uint64_t lost = 0;         // after it was accepted
  double cpu_s = 0;
  Histogram waits;  // as the scenario counts them
};

// Memory that all processes see. The maker writes the times, each process its part.
struct CrowdBoard {
  struct Counts {
    std::uint64_t attempts = 0;
    std::atomic<std::uint64_t> accepted{0};  // read while it grows
    std::uint64_t resumed = 0;
    std::uint64_t refused = 0;
    std::uint64_t turned_away = 0;
    std::uint64_t closed = 0;
    std::uint64_t lost = 0;
    double cpu_s = 0;
    std::int64_t longest_ns = 0;
    std::array<std::uint64_t, Histogram::kBuckets> waits{};
  };
  struct Part {
    std::atomic<bool> ready{false};
    std::array<Counts, kMaxCrowdRounds> rounds{};
  };
  struct Round {
    std::atomic<std::int64_t> begin_ns{INT64_MAX};
    std::atomic<std::int64_t> end_ns{INT64_MAX};
  };
  std::array<Round, kMaxCrowdRounds> rounds{};
  std::array<Part, kMaxCrowdProcesses> parts{};
};

// What one process runs: its share of the fleet, between the times on the board.
class CrowdMember : public Run {
 protected:
  CrowdMember(const CrowdOptions& options, CrowdBoard& board, std::uint32_t place, std::string scenario);
  ~CrowdMember() = default;

  virtual void add_device(const Identity& device, std::uint32_t number_in_fleet) = 0;
  virtual void begin_round(std::int64_t begin_ns) = 0;
  virtual void work() = 0;  // in each turn of a round
  virtual std::int64_t next_work_ns() const = 0;
  virtual void end_round() = 0;

  base::Result<> plan() final;
  void begin() final { part_.ready = true; }
  void turn() final;
  std::int64_t wake_ns() const final;
  void stop() final;
  void report(ResultLine&) final {}
  bool succeeded() const final { return true; }

  CrowdBoard::Counts& counts() { return part_.rounds[round_]; }
  // How a try ended.
  void count_opened(const Connection& connection, std::int64_t waited_ns);
  void count_lost(const Connection& connection);
  void count_wait(std::int64_t waited_ns) { waits_.add(waited_ns); }

 private:
  void finish_round();

  const std::uint32_t measured_;
  const std::uint32_t processes_;
  const std::uint32_t last_round_;
  const std::uint32_t place_;
  const CrowdBoard& board_;
  CrowdBoard::Part& part_;
  Histogram waits_;
  std::uint32_t round_ = 0;
  bool begun_ = false;  // this round
};

class Crowd {
 public:
  // Makes what process `place` runs, and runs it; called in that process. `own` has the addresses of its devices.
  using RunMember = std::function<int(const CrowdOptions& own, CrowdBoard& board, std::uint32_t place)>;

  // Returns when all of them could begin.
  static base::Result<std::unique_ptr<Crowd>> start(const CrowdOptions& options, const RunMember& run_member);
  ~Crowd();

  void begin_round(std::int64_t now_ns) { board_->rounds[round_].begin_ns = now_ns; }
  void end_round(std::int64_t now_ns) { board_->rounds[round_++].end_ns = now_ns; }
  std::uint64_t accepted() const;     // in this round, until now
  std::vector<CrowdReport> finish();  // by round; waits for the processes, some seconds at most

 private:
  explicit Crowd(CrowdBoard* board) : board_(board) {}
  bool end_process(pid_t& process);
  bool all_ready() const;
  bool one_ended();

  CrowdBoard* board_;
  std::uint32_t round_ = 0;
  std::vector<pid_t> processes_;
};

}  // namespace mooring::bench
