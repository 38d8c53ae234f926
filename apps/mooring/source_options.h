// The command line options that say where the server's options come from; shared by `serve` and `check`.
#pragma once

#include "server/options.h"

namespace CLI {
class App;
}

namespace mooring::app {

// `sources` must outlive the parse.
void add_source_options(CLI::App& command, server::OptionSources& sources);

}  // namespace mooring::app
