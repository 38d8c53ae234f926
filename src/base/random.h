// Random: where unpredictable bytes come from, as a port so that simulations are repeatable.
#pragma once

#include "base/bytes.h"

namespace mooring::base {

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(MutableBytes out) = 0;  // thread-safe
};

}  // namespace mooring::base
