// Handler: who answers HTTP requests that are not upgrades. Implemented above the gateway.
#pragma once

#include <optional>
#include <string>

#include "base/executor.h"
#include "base/unique_function.h"
#include "http/message.h"

namespace mooring::http {

// Where a request came from.
struct RequestSource {
  std::string address;                 // of the client, without port; behind a trusted proxy the one that it tells
  bool loopback = false;               // a client on this machine, and no proxy between
  bool local_socket = false;           // the data folder's socket: its owner is an administrator
  bool tls = false;                    // of the client, also where a trusted proxy ends it
  base::Executor* executor = nullptr;  // of the connection's loop
};

// Called once, on the connection's loop, now or later. Harmless after the connection ended.
using Respond = base::UniqueFunction<void(Response)>;

class Handler {
 public:
  virtual ~Handler() = default;
  // On the connection's loop; must not block it.
  virtual void handle(Request request, const RequestSource& source, Respond respond) = 0;
  // How large a body may be that follows this head; nothing: what strangers may send. Asked on the connection's loop as
  // soon as the head is there, before anything of the body is taken.
  virtual std::optional<std::size_t> body_bytes_max(const Request&, const RequestSource&) const { return std::nullopt; }
  // What is answered when the body that follows this head is over the bound; nothing: 413, as everywhere. The
  // connection ends after it.
  virtual std::optional<Response> too_large(const Request&, const RequestSource&) { return std::nullopt; }
};

}  // namespace mooring::http
