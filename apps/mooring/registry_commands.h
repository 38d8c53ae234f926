// The registry commands of the command line: `mooring product ...`, `mooring device ...` and `mooring
// account ...`.
#pragma once

namespace CLI {
class App;
}

namespace mooring::app {

// Defines the subcommands `product`, `device` and `account` with their options. The chosen one runs while `app` parses
// and leaves its exit status in `exit_status`: 0 done, 1 it failed (one line on stderr says why). Wrong usage is thrown
// by the parser as CLI::ParseError, for which the caller exits with 2. `exit_status` must outlive the parse.
void add_registry_commands(CLI::App& app, int& exit_status);

}  // namespace mooring::app
