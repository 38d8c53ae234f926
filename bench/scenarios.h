// The subcommands of mooring-bench. `exit_status` must outlive the parse.
#pragma once

#include "fleet.h"

namespace CLI {
class App;
}

namespace mooring::bench {

void add_fleet_options(CLI::App& command, FleetOptions& options);
void add_idle_command(CLI::App& app, int& exit_status);
void add_fanout_command(CLI::App& app, int& exit_status);
void add_offline_command(CLI::App& app, int& exit_status);
void add_pairs_command(CLI::App& app, int& exit_status);

}  // namespace mooring::bench
