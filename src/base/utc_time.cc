#include "base/utc_time.h"

#include <ctime>

namespace mooring::base {
namespace {

void put_digits(char* out, int count, std::int64_t value) {
  for (int i = count - 1; i >= 0; --i, value /= 10) out[i] = static_cast<char>('0' + value % 10);
}

}  // namespace

// By hand: each device that comes or goes needs four of them.
std::string utc_time(WallMs at_ms) {
  const std::int64_t fraction_ms = (at_ms % 1000 + 1000) % 1000;
  const std::time_t seconds = static_cast<std::time_t>((at_ms - fraction_ms) / 1000);
  std::tm t{};
  ::gmtime_r(&seconds, &t);
  std::string out = "0000-00-00T00:00:00.000Z";
  put_digits(out.data(), 4, t.tm_year + 1900);
  put_digits(out.data() + 5, 2, t.tm_mon + 1);
  put_digits(out.data() + 8, 2, t.tm_mday);
  put_digits(out.data() + 11, 2, t.tm_hour);
  put_digits(out.data() + 14, 2, t.tm_min);
  put_digits(out.data() + 17, 2, t.tm_sec);
  put_digits(out.data() + 20, 3, fraction_ms);
  return out;
}

}  // namespace mooring::base
