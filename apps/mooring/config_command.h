// `mooring config`: the option table as documentation and as a default file.
#pragma once

namespace CLI {
class App;
}

namespace mooring::app {

// The command runs while `app` parses and leaves its exit status in `exit_status`, which must outlive the parse.
void add_config_command(CLI::App& app, int& exit_status);

}  // namespace mooring::app
