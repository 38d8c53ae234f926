// `device log`, `device doctor` and `device flight`.
#pragma once

namespace CLI {
class App;
}

namespace mooring::app {

void add_device_journal_commands(CLI::App& device, int& exit_status);

}  // namespace mooring::app
