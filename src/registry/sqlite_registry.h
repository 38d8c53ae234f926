// SqliteRegistry: the Registry port on one SQLite file.
//
// Write-ahead log, foreign keys, synchronous FULL for administrative changes and NORMAL for presence. One writing
// connection behind a mutex and a few reading connections, each with its prepared statements kept. Thread-safe.
// The file is made with mode 0600; its schema is brought up to date when opened, and one written by a newer program is
// refused (kInvalidArgument).
#pragma once

#include <filesystem>
#include <memory>

#include "base/clock.h"
#include "base/random.h"
#include "registry/registry.h"

namespace mooring::registry {

struct SqliteOptions {
  std::filesystem::path file;  // its folder must exist
  // Connections; further readers wait. One for each thread that reads: two that look up who signs in, reports, and the
  // doctor, so that no sign-in waits for those that step back for it (base/threads.h).
  std::size_t readers = 4;
  int busy_timeout_ms = 5000;  // for another program that holds the file
};

// `random` and `clock` must outlive the registry; both thread-safe.
base::Result<std::unique_ptr<Registry>> open_sqlite_registry(const SqliteOptions& options, base::Random& random,
                                                             const base::Clock& clock);

}  // namespace mooring::registry
