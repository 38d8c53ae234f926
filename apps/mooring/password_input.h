// Passwords from stdin, for commands that should not show one in the list of processes.
#pragma once

#include <string>

#include "base/result.h"

namespace mooring::app {

// The first line of stdin without its end; on a terminal it is asked for and not shown. Reads not a byte beyond the
// line, so that what follows is left for others. kInvalidArgument: the line is empty or longer than 1,024 bytes.
base::Result<std::string> read_password();

}  // namespace mooring::app
