#include "process_stats.h"

#include <fmt/format.h>
#include <time.h>

#include <fstream>
#include <sstream>
#include <string>

namespace mooring::bench {
namespace {

double clock_s(clockid_t clock) {
  timespec time{};
  if (clock_gettime(clock, &time) != 0) return 0;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

}  // namespace

ProcessMemory process_memory(pid_t pid) {
  ProcessMemory memory;
  if (pid <= 0) return memory;
  std::ifstream file(fmt::format("/proc/{}/smaps_rollup", pid));
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string name;
    std::int64_t kib = 0;
    words >> name >> kib;
    if (name == "Rss:") memory.resident_bytes = kib * 1024;
    if (name == "Pss:") memory.proportional_bytes = kib * 1024;
    if (name == "Anonymous:") memory.anonymous_bytes = kib * 1024;
  }
  return memory;
}

double process_cpu_s(pid_t pid) {
  clockid_t clock = 0;
  if (pid <= 0 || clock_getcpuclockid(pid, &clock) != 0) return 0;
  return clock_s(clock);
}

double own_cpu_s() {
  return clock_s(CLOCK_PROCESS_CPUTIME_ID);
}

}  // namespace mooring::bench
