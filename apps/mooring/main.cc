// The program `mooring`: one verb, then its options. Exit status: 0 done, 1 it failed, 2 wrong usage or configuration.
#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "cert_command.h"
#include "check_command.h"
#include "config_command.h"
#include "pub_command.h"
#include "registry_commands.h"
#include "serve_command.h"
#include "sign_command.h"
#include "sub_command.h"

namespace mooring::app {
namespace {

constexpr int kWrongUsage = 2;

void add_commands(CLI::App& app, int& exit_status) {
  add_serve_command(app, exit_status);
  add_check_command(app, exit_status);
  add_config_command(app, exit_status);
  add_registry_commands(app, exit_status);
  add_sign_command(app, exit_status);
  add_cert_command(app, exit_status);
  add_sub_command(app, exit_status);
  add_pub_command(app, exit_status);
}

// A verb that does not exist deserves a better answer than "not expected".
bool is_unknown_verb(const CLI::App& app, std::string_view word) {
  if (word.starts_with('-')) return false;
  std::vector<std::string_view> verbs;
  for (const CLI::App* command : app.get_subcommands(nullptr)) {
    if (command->get_name() == word) return false;
    verbs.emplace_back(command->get_name());
  }
  fmt::print(stderr, "mooring: unknown command \"{}\"", base::printable(word));
  if (const auto meant = base::nearest(word, verbs)) fmt::print(stderr, "; did you mean \"{}\"?", *meant);
  fmt::print(stderr, " (mooring --help lists them)\n");
  return true;
}

int run(int argc, char** argv) {
  // A peer that goes away is an error of the write, not the end of the program.
  signal(SIGPIPE, SIG_IGN);
  CLI::App app("Mooring: IoT platform for devices built for Alibaba Cloud IoT Platform", "mooring");
  app.set_version_flag("--version", "mooring " MOORING_VERSION);
  app.require_subcommand(1);
  app.get_formatter()->column_width(22);
  app.failure_message(CLI::FailureMessage::simple);
  int exit_status = 0;
  add_commands(app, exit_status);
  if (argc > 1 && is_unknown_verb(app, argv[1])) return kWrongUsage;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kWrongUsage;
  }
  return exit_status;
}

}  // namespace
}  // namespace mooring::app

int main(int argc, char** argv) {
  try {
    return mooring::app::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "mooring: {}\n", error.what());
    return 1;
  }
}
