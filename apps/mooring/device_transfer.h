// `mooring device import` and `mooring device export`: device lists as CSV files.
#pragma once

namespace CLI {
class App;
}

namespace mooring::app {

// `device` is the subcommand they belong to; otherwise as add_registry_commands.
void add_transfer_commands(CLI::App& device, int& exit_status);

}  // namespace mooring::app
