// The running platform: everything wired together, started and stopped in order.
#pragma once

#include "server/options.h"

namespace mooring::server {

// Runs until SIGTERM or SIGINT; SIGHUP reloads configuration and certificates. Blocks the calling thread, which becomes
// the one for administration. Returns the exit status: 0 stopped as asked, 1 could not start (told on stderr), 2 the
// configuration asks for something that is not there.
// `demo`: a product and a device to try things with are made when missing, and shown with their connect lines.
int run_server(const Options& options, bool demo);

}  // namespace mooring::server
