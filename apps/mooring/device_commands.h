// `mooring device create|list|show|update|enable|disable|delete|kick|import|export|connect-line`.
#pragma once

namespace CLI {
class App;
}

namespace mooring::app {

// As add_registry_commands.
void add_device_commands(CLI::App& app, int& exit_status);

}  // namespace mooring::app
