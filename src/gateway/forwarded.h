// Who is behind a request that an HTTP proxy forwarded: X-Forwarded-For and X-Forwarded-Proto. I/O-free, any thread.
#pragma once

#include <string_view>
#include <vector>

#include "http/message.h"
#include "net/socket_address.h"

namespace mooring::gateway {

struct Forwarded {
  bool by_proxy = false;  // somebody stands between, trusted or not: it is no request of who is connected
  // Of trusted proxies only.
  std::string_view client;  // an address, if it is one; empty: not told. Borrowed from the request
  bool https = false;       // it came to the proxy over TLS
};

// The last address is the one that the proxy wrote, in the last of several fields: those before it come from whoever
// sent the request. Of X-Forwarded-Proto there must be one value alone: a proxy replaces it, and where there are
// several one is the sender's own.
Forwarded forwarded_by(const http::Request& request, const net::SocketAddress& peer,
                       const std::vector<net::AddressBlock>& trusted_proxies);

}  // namespace mooring::gateway
