// What is kept of a refused CONNECT until the doctor has looked at it: no secret that it can do without.
#pragma once

#include <memory>

#include "gateway/pending_connect.h"
#include "gateway/transport.h"
#include "journal/device_log.h"

namespace mooring::gateway {

// From `connect.body`. Null: there is nothing to examine. Bounded: of each field the first kilobyte.
std::unique_ptr<journal::SignInAttempt> refused_attempt(const PendingConnect& connect, const PeerFacts& peer,
                                                        bool websocket);

}  // namespace mooring::gateway
