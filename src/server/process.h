// What the process as a whole asks of the kernel. At start, on the main thread, before there is another.
#pragma once

#include "base/result.h"
#include "net/unique_fd.h"

namespace mooring::server {

// Every connection is a descriptor; the soft limit of a shell is far below what the hard one allows.
void raise_descriptor_limit();

// SIGTERM, SIGINT and SIGHUP as a descriptor (signalfd) that is ready when one came: all threads to come leave them to
// it. SIGPIPE is ignored. Error: kIo.
base::Result<net::UniqueFd> take_signals();

}  // namespace mooring::server
