// BadDevices: a crowd with wrong secrets that tries to get in again and again.
//
// Half of them try every `every_s` for ever; the other half, with `tries`, so often 2 s apart and then pause, as C
// firmware does. Nobody tries again before it has its answer.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.h"
#include "crowd.h"

namespace mooring::bench {

struct BadDevicesOptions {
  CrowdOptions crowd;
  double every_s = 1;
  std::uint32_t tries = 0;
  double pause_s = 30;
};

// Their waits count from when a try began to its end.
base::Result<std::unique_ptr<Crowd>> start_bad_devices(const BadDevicesOptions& options);

// How many tries so many seconds have, if every answer came at once.
std::uint64_t intended_tries(const BadDevicesOptions& options, double seconds);

}  // namespace mooring::bench
