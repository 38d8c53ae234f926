// The subcommands of mooring-bench. `exit_status` must outlive the parse.
#pragma once

namespace CLI {
class App;
}

namespace mooring::bench {

void add_pairs_command(CLI::App& app, int& exit_status);
void add_fan_out_command(CLI::App& app, int& exit_status);
void add_fan_in_command(CLI::App& app, int& exit_status);
void add_ingest_command(CLI::App& app, int& exit_status);
void add_mixed_command(CLI::App& app, int& exit_status);
void add_connect_command(CLI::App& app, int& exit_status);
void add_refusals_command(CLI::App& app, int& exit_status);
void add_storm_command(CLI::App& app, int& exit_status);
void add_churn_command(CLI::App& app, int& exit_status);
void add_idle_command(CLI::App& app, int& exit_status);
void add_offline_command(CLI::App& app, int& exit_status);

}  // namespace mooring::bench
