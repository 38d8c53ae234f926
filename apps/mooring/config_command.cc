#include "config_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "server/options.h"

namespace mooring::app {

void add_config_command(CLI::App& app, int& exit_status) {
  CLI::App* command = app.add_subcommand("config", "Print the option table or a default configuration file");
  command->require_subcommand(1);
  command->add_subcommand("docs", "All options as a Markdown table")->callback([&exit_status] {
    fmt::print("{}", server::option_table_markdown());
    exit_status = 0;
  });
  command->add_subcommand("default", "A configuration file with every option and its default")
      ->callback([&exit_status] {
        fmt::print("{}", server::default_config_file());
        exit_status = 0;
      });
}

}  // namespace mooring::app
