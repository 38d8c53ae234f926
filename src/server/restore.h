// What the store has kept, back into memory: at start, on the main thread, before the first loop runs.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "routing/retained_messages.h"
#include "storage/rocks_session_store.h"

namespace mooring::server {

class LoopWorker;

// Every stored session goes to its home among `homes`, which are by loop id; queues stay where they are. Blocks for as
// long as reading them takes. The answer: the tickets whose sessions there are, by id.
base::Result<std::vector<std::string>> restore_sessions(storage::RocksSessionStore& store,
                                                        routing::RetainedMessages& retained,
                                                        std::span<LoopWorker* const> homes);

}  // namespace mooring::server
