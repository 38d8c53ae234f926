// Lives: a run whose connections come and go, again and again: as fast as they may, or at a fixed rate, at which each
// life counts from when it was due. A scenario says who there is and what a life consists of.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "histogram.h"
#include "run.h"

namespace mooring::bench {

struct LivesOptions {
  double per_second = 0;    // lives begun; 0: as fast as they go
  std::uint64_t count = 0;  // end after so many; 0: after --seconds
  std::uint32_t at_once = kMaxConnections;
};

class Lives : public Run {
 protected:
  // How the result calls them, as in livesPerSecond, lifeP50Us and serverCpuMicrosecondsPerLife.
  struct Words {
    std::string scenario;
    std::string many;
    std::string one;
    std::string capital;
  };

  Lives(const RunOptions& options, const LivesOptions& lives, Words words);
  ~Lives() = default;

  Connection& add_life(const SignIn& sign_in, Subscription subscription);
  virtual void born(Connection& connection) = 0;  // it is open
  // The scenario has closed it. It may be born again.
  void end_life(const Connection& connection);

  bool measuring() const { return measuring_; }

  void begin() final;
  void turn() final;
  void stop() final;
  std::int64_t wake_ns() const final { return wake_ns_; }
  void on_open(Connection& connection) final;
  void lost_after_begin(Connection&) final { fail("a connection was refused or lost"); }
  bool succeeded() const override { return lived_ > 0; }
  std::string progress() const final;
  void report(ResultLine& line) override;

 private:
  bool may_begin();
  void begin_life();
  std::int64_t due_ns() const;
  void begin_measuring();

  const LivesOptions lives_;
  const Words words_;
  std::deque<std::uint32_t> free_;
  std::vector<std::uint32_t> ended_;  // in this turn
  std::vector<std::int64_t> due_ns_;  // by connection
  Histogram spans_;
  std::uint64_t begun_ = 0;
  std::uint64_t finished_ = 0;
  std::uint64_t lived_ = 0;
  std::uint32_t on_the_way_ = 0;
  std::int64_t wake_ns_ = 0;
  std::int64_t measured_from_ns_ = 0;
  std::int64_t measured_ns_ = 0;
  std::int64_t stopped_at_ns_ = 0;
  double server_cpu_s_ = 0;
  double load_cpu_s_ = 0;
  bool measuring_ = false;
  bool stopping_ = false;
};

// --rate and --count. `options` must outlive the parse.
void add_lives_options(CLI::App& command, LivesOptions& options);

}  // namespace mooring::bench
