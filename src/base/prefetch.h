// Asks the processor for memory before it is read. Waiting for a line that is in no cache takes as long as some
// hundred instructions; several that were asked for together come together.
#pragma once

#include <cstddef>

namespace mooring::base {

// Any pointer may be given, null as well: nothing is read here.
inline void prefetch(const void* from, std::size_t bytes) {
  constexpr std::size_t kLineBytes = 64;
  for (std::size_t at = 0; at < bytes; at += kLineBytes) __builtin_prefetch(static_cast<const char*>(from) + at);
}

}  // namespace mooring::base
