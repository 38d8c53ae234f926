// MOORING_ASSERT: an invariant that stays checked in release builds. It ends the process with file and line, because
// going on with broken state would risk acknowledged data.
#pragma once

namespace mooring::base {
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line) noexcept;
}

#define MOORING_ASSERT(expression) \
  (static_cast<bool>(expression) ? void(0) : ::mooring::base::assertion_failed(#expression, __FILE__, __LINE__))
