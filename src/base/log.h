// The log: lines on stderr with time, level and component, as text or each as an object of JSON. Thread-safe. Never
// pass it a secret: names, codes and sizes are what belongs here. Text from a peer goes through base::printable first.
// Of more than 2,000 info lines in a second the rest is left out and counted.
//
//   log_info("net", "listening on {}", address);
#pragma once

#include <fmt/core.h>

#include <string_view>

namespace mooring::base {

enum class LogLevel { kDebug, kInfo, kWarn, kError, kOff };
enum class LogFormat { kText, kJson };

void set_log_level(LogLevel level);
void set_log_format(LogFormat format);
bool log_enabled(LogLevel level);
void log_line(LogLevel level, std::string_view component, fmt::string_view format, fmt::format_args args);

template <class... Args>
void log_debug(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(LogLevel::kDebug)) log_line(LogLevel::kDebug, component, format, fmt::make_format_args(args...));
}
template <class... Args>
void log_info(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(LogLevel::kInfo)) log_line(LogLevel::kInfo, component, format, fmt::make_format_args(args...));
}
template <class... Args>
void log_warn(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(LogLevel::kWarn)) log_line(LogLevel::kWarn, component, format, fmt::make_format_args(args...));
}
template <class... Args>
void log_error(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(LogLevel::kError)) log_line(LogLevel::kError, component, format, fmt::make_format_args(args...));
}

}  // namespace mooring::base
