#include "serve_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "server/server.h"
#include "source_options.h"

namespace mooring::app {
namespace {

struct ServeOptions {
  server::OptionSources sources;
  bool demo = false;
};

int run_serve(const ServeOptions& options) {
  const auto loaded = server::load_options(options.sources);
  if (!loaded) {
    fmt::print(stderr, "{}", server::describe(loaded.error()));
    return 2;
  }
  return server::run_server(*loaded, options.demo);
}

}  // namespace

void add_serve_command(CLI::App& app, int& exit_status) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* command = app.add_subcommand("serve", "Run the server");
  add_source_options(*command, options->sources);
  command->add_flag("--demo", options->demo, "Make a demo product and device and print how to connect");
  command->callback([options, &exit_status] { exit_status = run_serve(*options); });
}

}  // namespace mooring::app
