// Asks the processor for memory before it is read. Waiting for a line that is in no cache takes as long as some
// hundred instructions; several that were asked for together come together.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mooring::base {

// Any pointer may be given, null as well: nothing is read here.
inline void prefetch(const void* from, std::size_t bytes) {
  constexpr std::size_t kLineBytes = 64;
  const auto start = reinterpret_cast<std::uintptr_t>(from);  // a number, for nothing may be added to null
  for (std::size_t at = 0; at < bytes; at += kLineBytes) __builtin_prefetch(reinterpret_cast<const void*>(start + at));
}

}  // namespace mooring::base
