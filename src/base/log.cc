#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <cstdint>

#include "base/clock.h"
#include "base/log_json.h"

namespace mooring::base {
namespace {

std::atomic<LogLevel> g_level{LogLevel::kInfo};
std::atomic<LogFormat> g_format{LogFormat::kText};

constexpr const char* kTextPattern = "%Y-%m-%dT%H:%M:%S.%eZ %^%5l%$ %v";
constexpr const char* kJsonPattern = "%v";  // the whole line is made here

spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    auto made = std::make_shared<spdlog::logger>("mooring", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_level(spdlog::level::trace);
    made->set_pattern(kTextPattern, spdlog::pattern_time_type::utc);
    return made;
  }();
  return *instance;
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      break;
  }
  return spdlog::level::off;
}

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
    case LogLevel::kOff:
      break;
  }
  return "error";
}

void write(LogLevel level, std::string_view component, std::string_view message) {
  std::string line;
  if (g_format.load(std::memory_order_relaxed) == LogFormat::kJson) {
    line = json_log_line(system_clock().wall_ms(), name_of(level), component, message);
  } else {
    line = fmt::format("{}: {}", component, message);
  }
  logger().log(to_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

// Lines at info level that one second may have. Whoever sends us garbage decides how often we would write; a slow
// reader of the log must not become a slow server.
constexpr std::uint64_t kMaxInfoLinesPerSecond = 2000;

std::atomic<std::uint64_t> g_second{0};  // the second in the upper 32 bits, its lines below
std::atomic<std::uint64_t> g_left_out{0};

// False: this line is one too many. Tells how many were left out once a new second begins.
bool admit_line() {
  const auto second = static_cast<std::uint64_t>(system_clock().mono_ms() / 1000) << 32;
  std::uint64_t seen = g_second.load(std::memory_order_relaxed);
  std::uint64_t next = 0;
  do {
    next = seen >= second ? seen + 1 : second + 1;
  } while (!g_second.compare_exchange_weak(seen, next, std::memory_order_relaxed));
  if ((next & 0xFFFFFFFF) > kMaxInfoLinesPerSecond) {
    g_left_out.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  if (next == second + 1) {
    if (const std::uint64_t left_out = g_left_out.exchange(0, std::memory_order_relaxed); left_out > 0) {
      write(LogLevel::kWarn, "log",
            fmt::format("{} lines were left out: more than {} in a second", left_out, kMaxInfoLinesPerSecond));
    }
  }
  return true;
}

}  // namespace

void set_log_level(LogLevel level) {
  g_level.store(level, std::memory_order_relaxed);
}
void set_log_format(LogFormat format) {
  if (g_format.exchange(format, std::memory_order_relaxed) == format) return;
  logger().set_pattern(format == LogFormat::kJson ? kJsonPattern : kTextPattern, spdlog::pattern_time_type::utc);
}
bool log_enabled(LogLevel level) {
  return level >= g_level.load(std::memory_order_relaxed);
}

void log_line(LogLevel level, std::string_view component, fmt::string_view format, fmt::format_args args) {
  if (level == LogLevel::kInfo && !admit_line()) return;
  fmt::memory_buffer line;
  fmt::vformat_to(std::back_inserter(line), format, args);
  write(level, component, {line.data(), line.size()});
}

}  // namespace mooring::base
