// Clock: the only way product code learns the time, so that simulations can own it.
#pragma once

#include <cstdint>

namespace mooring::base {

using MonoMs = std::int64_t;  // milliseconds of a clock that never goes back; its zero means nothing
using WallMs = std::int64_t;  // milliseconds since 1970-01-01T00:00:00Z

class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonoMs mono_ms() const = 0;
  virtual WallMs wall_ms() const = 0;
};

// The machine's clocks. Thread-safe, lives for ever.
const Clock& system_clock();

}  // namespace mooring::base
