// Target: where the connections of a run go to.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/socket_address.h"
#include "socket.h"

namespace mooring::bench {

struct Target {
  net::SocketAddress address;
  std::optional<net::LocalAddress> local;  // in its place
  bool websocket = false;
  TlsClientContext tls;     // nothing: plain
  std::string server_name;  // told to a TLS server, and has to be in its certificate; empty for a literal address
  std::string scheme;       // ws, wss, tcp, tls, unix
  std::string authority;    // for the Host header
};

// ws://, wss://, tcp:// (also mqtt://) or tls:// (also mqtts://), an address or a name, and a port. A name is
// looked up once, which may take seconds.
base::Result<Target> parse_target(std::string_view url, const std::string& ca_file);
// The operator's socket in the data folder of a running server: plain MQTT, any topic.
base::Result<Target> operator_target(const std::string& data_folder);

}  // namespace mooring::bench
