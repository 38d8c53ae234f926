// How many entries about refusals the audit log takes: anybody can be refused at any rate, and an entry waits for the
// disk. Thread-safe.
#pragma once

#include <mutex>

#include "base/clock.h"
#include "registry/users.h"

namespace mooring::api {

class AuditBudget {
 public:
  static constexpr std::uint32_t kPerMinute = 60;

  explicit AuditBudget(const base::Clock& clock) : clock_(clock) {}
  // Whether the entry is to be written. One that is tells in `after` how many were left out before it.
  bool admit(registry::AuditEntry& entry);

 private:
  const base::Clock& clock_;
  std::mutex mutex_;           // of all below
  base::MonoMs since_ms_ = 0;  // the minute that is counted; 0: none yet
  std::uint32_t admitted_ = 0;
  std::uint64_t left_out_ = 0;
};

}  // namespace mooring::api
