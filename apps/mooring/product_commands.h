// `mooring product create|list|show|update|delete`.
#pragma once

namespace CLI {
class App;
}

namespace mooring::app {

// As add_registry_commands.
void add_product_commands(CLI::App& app, int& exit_status);

}  // namespace mooring::app
