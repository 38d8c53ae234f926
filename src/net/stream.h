// Stream: one connected, non-blocking socket, plain or under TLS. OpenSSL works directly on the descriptor with its
// buffers released while idle; that keeps an idle TLS connection near 14 kB where a second pair of buffers would cost
// five times as much (docs/adr/0003).
//
// No callbacks: the owner reacts to readiness of fd(). One thread.
#pragma once

#include <sys/uio.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "net/peer_certificate.h"
#include "net/tls_context.h"
#include "net/unique_fd.h"

struct ssl_st;

namespace mooring::net {

enum class IoStatus {
  kOk,     // `bytes` were moved
  kAgain,  // nothing now; wait for readiness
  kEof,    // the peer ended its side
  kError,  // the connection is broken
};

struct IoResult {
  IoStatus status;
  std::size_t bytes = 0;
};

class Stream {
 public:
  Stream() = default;
  explicit Stream(UniqueFd fd) : fd_(std::move(fd)) {}
  Stream(Stream&&) noexcept = default;
  Stream& operator=(Stream&&) noexcept = default;

  int fd() const { return fd_.get(); }
  bool encrypted() const { return ssl_ != nullptr; }

  // The next byte without taking it; only before TLS.
  IoResult peek(base::MutableBytes out);
  // After kOk with fewer bytes than asked for, a plain socket has nothing more for now (edge-triggered readiness).
  IoResult read(base::MutableBytes out);
  // Writes a prefix of the pieces. Under TLS at most one record (16 KiB) per call; after kAgain the same bytes must
  // come first in the next call.
  IoResult write(std::span<const iovec> pieces);

  // Server side of TLS from here on.
  void start_tls(const TlsContext& context);
  // kWantsPsk: the client named itself, see psk_identity(); the handshake goes on after set_psk_key().
  enum class Handshake { kDone, kAgain, kFailed, kWantsPsk };
  Handshake handshake();
  // Why the handshake failed, for the log: what the peer offered or what was wrong.
  const char* tls_failure() const { return tls_failure_; }

  // A handshake failed because the peer left, not because of what it said.
  bool broken_off() const { return broken_off_; }

  // Facts of the finished handshake.
  const char* tls_version() const;
  const char* tls_cipher() const;
  bool tls_resumed() const;
  std::string_view server_name() const;  // SNI; empty when none was sent

  // The client's certificate, read anew with every call; nothing: it sent none.
  std::optional<PeerCertificate> peer_certificate() const;

  // TLS-PSK. Before the handshake is done: who the client says it is, any bytes, at most 256. Afterwards: who it is,
  // also when the session was resumed. Empty: it does not use a pre-shared key.
  std::string_view psk_identity() const;
  // At most 64 bytes; empty: nobody has this identity, which ends as a wrong key does.
  void set_psk_key(base::ByteView key);

  // What TLS says at the end: close_notify. Nothing without TLS.
  void say_end();
  // Ends our side with a FIN. The peer can still be read.
  void shutdown_write();
  void close();

 private:
  struct FreeSsl {
    void operator()(ssl_st* ssl) const;
  };
  IoResult after_tls_call(int result);
  Handshake await_psk();

  UniqueFd fd_;
  bool broken_off_ = false;
  std::unique_ptr<ssl_st, FreeSsl> ssl_;
  const char* tls_failure_ = "";
  std::unique_ptr<std::string> offered_psk_;  // identity, until the handshake is done
};

}  // namespace mooring::net
