// Handler: who answers HTTP requests that are not upgrades. Implemented above the gateway.
#pragma once

#include <string>

#include "base/executor.h"
#include "base/unique_function.h"
#include "http/message.h"

namespace mooring::http {

// Where a request came from.
struct RequestSource {
  std::string address;  // of the peer, without port
  bool loopback = false;
  bool local_socket = false;  // the data folder's socket: its owner is an administrator
  bool tls = false;
  base::Executor* executor = nullptr;  // of the connection's loop
};

// Called once, on the connection's loop, now or later. Harmless after the connection ended.
using Respond = base::UniqueFunction<void(Response)>;

class Handler {
 public:
  virtual ~Handler() = default;
  // On the connection's loop; must not block it.
  virtual void handle(Request request, const RequestSource& source, Respond respond) = 0;
};

}  // namespace mooring::http
