#include "net/stream.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstring>

#include "base/assert.h"
#include "net/client_certificates.h"
#include "net/tls_psk.h"

namespace mooring::net {
namespace {

constexpr std::size_t kRecordBytes = 16 * 1024;  // the largest plaintext of one TLS record, RFC 8446 section 5.1

IoResult from_errno() {
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {IoStatus::kAgain};
  return {IoStatus::kError};
}

ssize_t send_pieces(int fd, std::span<const iovec> pieces) {
  if (pieces.size() == 1) return ::send(fd, pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL);  // less to copy
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces.data());  // sendmsg only reads it
  message.msg_iovlen = pieces.size();
  return ::sendmsg(fd, &message, MSG_NOSIGNAL);
}

}  // namespace

void Stream::FreeSsl::operator()(ssl_st* ssl) const {
  SSL_free(ssl);
}

IoResult Stream::peek(base::MutableBytes out) {
  const ssize_t got = ::recv(fd_.get(), out.data(), out.size(), MSG_PEEK);
  if (got > 0) return {IoStatus::kOk, static_cast<std::size_t>(got)};
  if (got == 0) return {IoStatus::kEof};
  return from_errno();
}

IoResult Stream::read(base::MutableBytes out) {
  if (ssl_ == nullptr) {
    const ssize_t got = ::recv(fd_.get(), out.data(), out.size(), 0);
    if (got > 0) return {IoStatus::kOk, static_cast<std::size_t>(got)};
    if (got == 0) return {IoStatus::kEof};
    return from_errno();
  }
  ERR_clear_error();
  std::size_t got = 0;
  if (const int result = SSL_read_ex(ssl_.get(), out.data(), out.size(), &got); result != 1) {
    return after_tls_call(result);
  }
  return {IoStatus::kOk, got};
}

IoResult Stream::write(std::span<const iovec> pieces) {
  MOORING_ASSERT(!pieces.empty());
  if (ssl_ == nullptr) {
    const ssize_t sent = send_pieces(fd_.get(), pieces);
    if (sent >= 0) return {IoStatus::kOk, static_cast<std::size_t>(sent)};
    return from_errno();
  }
  // One record for as much as there is: a record costs more than copying into it.
  thread_local std::array<std::uint8_t, kRecordBytes> record;
  const void* data = pieces[0].iov_base;
  std::size_t size = std::min(pieces[0].iov_len, record.size());
  if (pieces.size() > 1 && size < record.size()) {
    std::size_t used = 0;
    for (const iovec& piece : pieces) {
      const std::size_t part = std::min(piece.iov_len, record.size() - used);
      std::memcpy(record.data() + used, piece.iov_base, part);
      used += part;
    }
    data = record.data();
    size = used;
  }
  ERR_clear_error();
  std::size_t sent = 0;
  if (const int result = SSL_write_ex(ssl_.get(), data, size, &sent); result != 1) return after_tls_call(result);
  return {IoStatus::kOk, sent};
}

IoResult Stream::after_tls_call(int result) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return {IoStatus::kAgain};
    case SSL_ERROR_ZERO_RETURN:
      return {IoStatus::kEof};
    default:
      return {IoStatus::kError};
  }
}

void Stream::start_tls(const TlsContext& context) {
  MOORING_ASSERT(ssl_ == nullptr);
  ssl_.reset(SSL_new(context.native()));
  MOORING_ASSERT(ssl_ != nullptr && SSL_set_fd(ssl_.get(), fd_.get()) == 1);
  SSL_set_accept_state(ssl_.get());
}

Stream::Handshake Stream::handshake() {
  ERR_clear_error();
  errno = 0;
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) {
    end_psk(ssl_.get());
    offered_psk_.reset();
    return Handshake::kDone;
  }
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return psk_wanted(ssl_.get()) ? await_psk() : Handshake::kAgain;
    case SSL_ERROR_WANT_WRITE:
      return Handshake::kAgain;
    default:
      break;
  }
  const unsigned long code = ERR_peek_error();
  const char* text = code != 0 ? ERR_reason_error_string(code) : nullptr;
  broken_off_ = code == 0;
  tls_failure_ = text != nullptr ? text : "the peer closed the connection during the handshake";
  return Handshake::kFailed;
}

Stream::Handshake Stream::await_psk() {
  if (offered_psk_ == nullptr) offered_psk_ = std::make_unique<std::string>();
  return peek_psk_identity(ssl_.get(), *offered_psk_) ? Handshake::kWantsPsk : Handshake::kAgain;
}

void Stream::set_psk_key(base::ByteView key) {
  MOORING_ASSERT(offered_psk_ != nullptr);
  net::set_psk_key(ssl_.get(), *offered_psk_, key);
}

std::string_view Stream::psk_identity() const {
  if (offered_psk_ != nullptr) return *offered_psk_;
  if (ssl_ == nullptr) return {};
  const char* identity = SSL_get_psk_identity(ssl_.get());
  return identity != nullptr ? std::string_view(identity) : std::string_view();
}

const char* Stream::tls_version() const {
  return ssl_ != nullptr ? SSL_get_version(ssl_.get()) : "";
}
const char* Stream::tls_cipher() const {
  return ssl_ != nullptr ? SSL_get_cipher_name(ssl_.get()) : "";
}
bool Stream::tls_resumed() const {
  return ssl_ != nullptr && SSL_session_reused(ssl_.get()) == 1;
}

std::string_view Stream::server_name() const {
  if (ssl_ == nullptr) return {};
  const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
  return name != nullptr ? std::string_view(name) : std::string_view();
}

std::optional<PeerCertificate> Stream::peer_certificate() const {
  return ssl_ != nullptr ? peer_certificate_of(ssl_.get()) : std::nullopt;
}

void Stream::say_end() {
  if (ssl_ == nullptr || SSL_is_init_finished(ssl_.get()) != 1) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());  // if the socket has room; the FIN says it anyway
}

void Stream::shutdown_write() {
  ::shutdown(fd_.get(), SHUT_WR);
}

void Stream::close() {
  ssl_.reset();
  fd_.reset();
}

}  // namespace mooring::net
