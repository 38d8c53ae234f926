// Times in UTC as text, as the API and status messages write them. Pure function, any thread.
#pragma once

#include <string>

#include "base/clock.h"

namespace mooring::base {

// "2026-11-22T08:30:00.000Z", for years of four digits, also before 1970.
std::string utc_time(WallMs at_ms);

}  // namespace mooring::base
