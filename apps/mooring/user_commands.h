// `mooring user ...`: people who sign in to the console.
#pragma once

namespace CLI {
class App;
}

namespace mooring::app {

// `exit_status` is set when one of them ran.
void add_user_commands(CLI::App& app, int& exit_status);

}  // namespace mooring::app
