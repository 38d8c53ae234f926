#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "base/assert.h"
#include "base/clock.h"

namespace mooring::base {

void assertion_failed(const char* expression, const char* file, int line) noexcept {
  std::fprintf(stderr, "mooring: broken invariant: %s (%s:%d)\n", expression, file, line);
  std::abort();
}

namespace {
class SystemClock final : public Clock {
 public:
  MonoMs mono_ms() const override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }
  WallMs wall_ms() const override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
};
}  // namespace

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

}  // namespace mooring::base
