// What the process as a whole asks of the kernel. At start, on the main thread, before there is another.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "net/unique_fd.h"

namespace mooring::server {

// Every connection is a descriptor; the soft limit of a shell is far below what the hard one allows.
void raise_descriptor_limit();

// Makes the table of descriptors large enough for `count` of them, within the limit and a million: 8 bytes each, of the
// kernel. It would double by itself when it is full, but where there are threads that waits for all processors to have
// passed a quiescent state (expand_fdtable: synchronize_rcu), 10 to 30 ms each time, on the loop that accepts.
void reserve_descriptors(std::uint64_t count);

// SIGTERM, SIGINT and SIGHUP as a descriptor (signalfd) that is ready when one came: all threads to come leave them to
// it. SIGPIPE is ignored. Error: kIo.
base::Result<net::UniqueFd> take_signals();

}  // namespace mooring::server
