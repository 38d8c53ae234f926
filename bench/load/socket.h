// Socket: the client's end of one connection, non-blocking, plain or under TLS. net::Stream is the server's end.
//
// No callbacks: the owner reacts to readiness of fd(). One thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "net/socket_address.h"
#include "net/stream.h"
#include "net/unique_fd.h"

struct ssl_st;
struct ssl_ctx_st;
struct ssl_session_st;

namespace mooring::bench {

struct FreeTlsContext {
  void operator()(ssl_ctx_st* context) const;
};
using TlsClientContext = std::unique_ptr<ssl_ctx_st, FreeTlsContext>;

struct FreeTlsSession {
  void operator()(ssl_session_st* session) const;
};
// What a connection keeps to resume its TLS session the next time; empty until the server gave a ticket.
using TlsSession = std::unique_ptr<ssl_session_st, FreeTlsSession>;

// With an empty `ca_file` the server's certificate is not checked.
base::Result<TlsClientContext> make_tls_client_context(const std::string& ca_file);

class Socket {
 public:
  // Begins to connect; writable when that is decided. `source` is the address to come from, or null.
  static base::Result<Socket> connect(const net::SocketAddress& address, const net::SocketAddress* source);
  static base::Result<Socket> connect(const net::LocalAddress& address);

  int fd() const { return fd_.get(); }
  int connect_error() const;  // errno of the attempt, 0 when connected

  // `context` must outlive the socket, and so must `session`. Without one the connection pays for a whole handshake, as
  // a device that was switched on does; with one the session in it is resumed, and the server's next ticket put there.
  // A `server_name` that is not empty is told to the server and looked for in its certificate.
  bool start_tls(ssl_ctx_st* context, TlsSession* session, const std::string& server_name);
  bool tls_resumed() const;
  enum class Handshake { kDone, kAgain, kFailed };
  Handshake handshake();
  std::string handshake_failure() const;

  net::IoResult read(base::MutableBytes out);
  net::IoResult write(base::ByteView bytes);
  // Ends our side, then the connection.
  void close();
  void reset();  // ends it at once: the peer sees RST

 private:
  static base::Result<Socket> open(int family);
  base::Result<> connect_to(const sockaddr* address, socklen_t bytes);

  struct FreeTls {
    void operator()(ssl_st* tls) const;
  };
  net::IoResult after_tls_call(int result, std::size_t bytes);

  net::UniqueFd fd_;
  std::unique_ptr<ssl_st, FreeTls> tls_;
};

}  // namespace mooring::bench
