// BadDevices: devices with wrong secrets that try to get in again and again, in processes of their own. What those have
// to do is many times what the good devices have, so it must not stand between an answer and its time of arrival.
//
// Half of them try every `every_s` for ever; the other half, with `tries`, so often 2 s apart and then pause, as C
// firmware does. Nobody tries again before it has its answer.
//
// Made before anything else is opened: it forks. finish() or the destructor ends the processes, and they end with their
// maker. One thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "histogram.h"
#include "run_options.h"

namespace mooring::bench {

inline constexpr std::uint32_t kMaxBadProcesses = 16;

struct BadDevicesOptions {
  RunOptions run;  // the fleet; the first `good` of it are left alone
  std::uint32_t good = 0;
  std::uint32_t processes = 2;
  std::uint32_t at_once = 200;  // tries under way, of each process: more would wait for the process, not for the server
  int nice = 10;                // of those processes: what a device computes is no load of the server's machine
  double every_s = 1;
  std::uint32_t tries = 0;
  double pause_s = 30;
};

struct BadDevicesReport {
  std::uint64_t attempts = 0;
  std::uint64_t refused = 0;      // code 4
  std::uint64_t turned_away = 0;  // code 3
  std::uint64_t closed = 0;       // without an answer
  std::uint64_t accepted = 0;     // which must not be
  double cpu_s = 0;
  Histogram answers;  // from when a try began to its end
};

class BadDevices {
 public:
  static base::Result<std::unique_ptr<BadDevices>> start(const BadDevicesOptions& options);
  ~BadDevices();

  bool ready() const;  // all of them could begin
  void begin(std::int64_t now_ns);
  void end(std::int64_t now_ns);
  BadDevicesReport finish();  // waits for the processes, some seconds at most

  // How many tries so many seconds have, if every answer came at once.
  static std::uint64_t intended_tries(const BadDevicesOptions& options, double seconds);

 private:
  struct Shared;
  explicit BadDevices(Shared* shared) : shared_(shared) {}

  Shared* shared_;  // memory that all processes see
  std::vector<pid_t> processes_;
};

}  // namespace mooring::bench
