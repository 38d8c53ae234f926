// PROXY protocol, versions 1 and 2: the header with which a load balancer tells whose connection it forwards.
// Source: "The PROXY protocol", sections 2.1 and 2.2. I/O-free.
#pragma once

#include "base/bytes.h"
#include "net/socket_address.h"

namespace mooring::net {

struct ProxyHeader {
  enum class Status {
    kMore,       // not complete yet
    kDone,       // `header_bytes` are to be skipped
    kMalformed,  // not a PROXY header, or one that is wrong
  };
  Status status = Status::kMore;
  std::size_t header_bytes = 0;
  bool has_source = false;  // false: the balancer speaks for itself (LOCAL, UNKNOWN)
  SocketAddress source;
};

// Bound: version 1 has at most 107 bytes; of version 2 at most 16 + 520 bytes are taken.
inline constexpr std::size_t kMaxProxyHeaderBytes = 536;

ProxyHeader parse_proxy_header(base::ByteView input);

}  // namespace mooring::net
