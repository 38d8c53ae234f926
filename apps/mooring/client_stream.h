// ClientStream: a connection as bytes, over TCP, TLS or a Unix socket, for the commands that are MQTT clients.
//
// One thread. Every wait ends early when the stop signal comes, with an error of code kUnavailable. Other errors:
// kInvalidArgument (unusable CA file), kIo (the network's or TLS's answer in the message).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "stop_signal.h"

namespace mooring::app {

// Where to connect to, and what to trust.
struct StreamTarget {
  std::string unix_socket;  // a path; when given host and TLS do not matter
  std::string host;         // name or address, IPv6 without brackets
  std::uint16_t port = 0;
  bool tls = false;
  std::string ca_file;    // PEM; empty: what the system trusts
  bool insecure = false;  // any certificate will do
};

class ClientStream {
 public:
  static constexpr int kOpenTimeoutMs = 10'000;   // name, connect and TLS handshake, for each address of the name
  static constexpr int kWriteTimeoutMs = 30'000;  // a peer that reads nothing for so long is given up

  // Connects. `stop` must outlive the stream.
  static base::Result<std::unique_ptr<ClientStream>> open(const StreamTarget& target, const StopSignal& stop);
  virtual ~ClientStream() = default;

  // Waits for bytes. 0: nothing came within `timeout_ms`. kUnavailable: the peer closed, or stop.
  virtual base::Result<std::size_t> read(base::MutableBytes out, int timeout_ms) = 0;
  // Sends everything.
  virtual base::Result<> write(base::ByteView bytes) = 0;
  // Says that nothing more will be sent; reading goes on.
  virtual void finish_writing() = 0;
};

}  // namespace mooring::app
