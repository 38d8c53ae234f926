// `mooring account create|list|update|delete`.
#pragma once

namespace CLI {
class App;
}

namespace mooring::app {

// As add_registry_commands.
void add_account_commands(CLI::App& app, int& exit_status);

}  // namespace mooring::app
