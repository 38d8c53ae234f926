#include "api/audit_budget.h"

#include <fmt/format.h>

#include <utility>

namespace mooring::api {

bool AuditBudget::admit(registry::AuditEntry& entry) {
  const base::MonoMs now = clock_.mono_ms();
  const std::lock_guard lock(mutex_);
  if (since_ms_ == 0 || now - since_ms_ >= 60'000) {
    since_ms_ = now;
    admitted_ = 0;
  }
  if (admitted_ >= kPerMinute) {
    ++left_out_;
    return false;
  }
  ++admitted_;
  if (const std::uint64_t left_out = std::exchange(left_out_, 0); left_out > 0) {
    entry.after = fmt::format(R"({{"failuresLeftOut":{}}})", left_out);
  }
  return true;
}

}  // namespace mooring::api
