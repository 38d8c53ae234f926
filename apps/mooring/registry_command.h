// A subcommand that asks the registry: of a data folder, or of a server elsewhere (CommonOptions).
//
// Includes CLI11, so only files that define commands take it.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <utility>

#include "registry_output.h"

namespace mooring::app {

// `Options` has CommonOptions as its base. The body runs when the command was given, and decides `exit_status`.
template <class Options>
std::pair<CLI::App*, std::shared_ptr<Options>> add_command(CLI::App& parent, const char* name, const char* help,
                                                           base::Result<> (*body)(const Options&, AdminClient&),
                                                           DataFolder folder, int& exit_status) {
  auto options = std::make_shared<Options>();
  CLI::App* command = parent.add_subcommand(name, help);
  add_common_options(*command, *options);
  command->callback([options, body, folder, &exit_status] {
    exit_status = run_with_client(*options, folder, [&](AdminClient& client) { return body(*options, client); });
  });
  return {command, std::move(options)};
}

// One that needs a folder which is there.
template <class Options>
auto add_command(CLI::App& parent, const char* name, const char* help,
                 base::Result<> (*body)(const Options&, AdminClient&), int& exit_status) {
  return add_command(parent, name, help, body, DataFolder::kMustExist, exit_status);
}

inline void add_role_option(CLI::App& command, std::string& role) {
  command.add_option("--role", role, "viewer reads, operator operates devices too, admin does everything")
      ->required()
      ->check(CLI::IsMember({"viewer", "operator", "admin"}));
}

}  // namespace mooring::app
