// A process as the kernel accounts for it, from outside.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace mooring::bench {

// Zeros when there is no such process or it may not be looked at.
struct ProcessMemory {
  std::int64_t resident_bytes = 0;      // Rss
  std::int64_t proportional_bytes = 0;  // Pss: shared pages divided by those who share them
  std::int64_t anonymous_bytes = 0;     // heap and stacks, without program text and mapped files
};
ProcessMemory process_memory(pid_t pid);

// User and system time of all its threads, ended ones too. From the scheduler's own count in nanoseconds, not from the
// steps of 10 ms that /proc shows. 0 when there is no such process.
double process_cpu_s(pid_t pid);
double own_cpu_s();

}  // namespace mooring::bench
