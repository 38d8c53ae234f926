// The sockets on which the server listens, and what the connections of each have in common. On the main thread, before
// the loops run.
#pragma once

#include <filesystem>
#include <span>
#include <vector>

#include "base/result.h"
#include "net/socket_address.h"
#include "registry/registry.h"
#include "server/options.h"

namespace mooring::server {

class Certificates;
class LoopWorker;

struct RunningListener {
  net::SocketAddress address;  // with the port that was picked
  ListenerTls tls = ListenerTls::kAuto;
  bool legacy_tls = true;
};

// Opens every listener of the options on each of `workers`, all or none. Errors name the address.
base::Result<std::vector<RunningListener>> open_listeners(const Options& options, const Certificates& certificates,
                                                          std::span<LoopWorker* const> workers);

// The command line's way in: a socket in the data folder.
base::Result<> open_local_listener(const std::filesystem::path& file, LoopWorker& worker);

// Of accounts that listeners give to clients without a name. No reason not to start: the account can be made any time,
// and until then such a CONNECT is refused.
void warn_of_missing_accounts(std::span<const ListenerOptions> listeners, registry::Registry& registry);

}  // namespace mooring::server
