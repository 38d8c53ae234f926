// Times as the API writes them: "2026-11-22T08:30:00.000Z". Pure function, any thread.
#pragma once

#include <string>

#include "base/clock.h"

namespace mooring::server {

std::string time_text(base::WallMs time_ms);

}  // namespace mooring::server
