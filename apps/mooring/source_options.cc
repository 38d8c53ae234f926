#include "source_options.h"

#include <CLI/CLI.hpp>

namespace mooring::app {

void add_source_options(CLI::App& command, server::OptionSources& sources) {
  command.add_option("--config", sources.config_file, "Configuration file (TOML)");
  command.add_option("--data", sources.data, "Data folder");
  command.add_option("--listen", sources.listens, "[HOST:]PORT to listen on instead of the file's; may be repeated")
      ->allow_extra_args(false);
  command.add_option("--set", sources.sets, "One option, as section.key=value; may be repeated")
      ->allow_extra_args(false);
  command.add_option("--threads", sources.threads, "Event loops; default: one for each core");
}

}  // namespace mooring::app
