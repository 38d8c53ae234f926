// A line of the log as JSON. Private to log.cc and its test.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"

namespace mooring::base {

// {"time":"2026-11-30T05:38:53.123Z","level":"info","component":"net","message":"..."}, without the end of the line.
// `level` and `component` are words of this program; the message may hold anything: control characters are escaped, and
// each byte that is not UTF-8 becomes U+FFFD.
std::string json_log_line(WallMs at_ms, std::string_view level, std::string_view component, std::string_view message);

}  // namespace mooring::base
