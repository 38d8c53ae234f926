#include "socket.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace mooring::bench {

using base::Errc;
using base::Result;
using net::IoResult;
using net::IoStatus;

void FreeTlsContext::operator()(ssl_ctx_st* context) const {
  SSL_CTX_free(context);
}

void FreeTlsSession::operator()(ssl_session_st* session) const {
  SSL_SESSION_free(session);
}

void Socket::FreeTls::operator()(ssl_st* tls) const {
  SSL_free(tls);
}

namespace {

int keep_session(SSL* tls, SSL_SESSION* session) {
  auto* const kept = static_cast<TlsSession*>(SSL_get_app_data(tls));
  if (kept == nullptr) return 0;
  kept->reset(session);
  return 1;
}

}  // namespace

Result<TlsClientContext> make_tls_client_context(const std::string& ca_file) {
  TlsClientContext context(SSL_CTX_new(TLS_client_method()));
  if (!context) return base::fail(Errc::kInternal, "TLS cannot be set up");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
  SSL_CTX_sess_set_new_cb(context.get(), keep_session);
  if (ca_file.empty()) {
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
    return context;
  }
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  if (SSL_CTX_load_verify_locations(context.get(), ca_file.c_str(), nullptr) != 1) {
    ERR_clear_error();
    return base::fail(Errc::kInvalidArgument, fmt::format("{} is not a readable PEM certificate", ca_file));
  }
  return context;
}

Result<Socket> Socket::open(int family) {
  Socket socket;
  socket.fd_ = net::UniqueFd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.fd_) return base::fail(Errc::kIo, fmt::format("socket: {}", std::strerror(errno)));
  return socket;
}

Result<> Socket::connect_to(const sockaddr* address, socklen_t bytes) {
  if (::connect(fd(), address, bytes) == 0 || errno == EINPROGRESS) return {};
  return base::fail(Errc::kIo, fmt::format("connect: {}", std::strerror(errno)));
}

Result<Socket> Socket::connect(const net::SocketAddress& address, const net::SocketAddress* source) {
  auto socket = open(address.family());
  if (!socket) return socket;
  const int on = 1;
  setsockopt(socket->fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // The port is chosen when the other end is known, so that each source address has all ports for each target.
  if (source != nullptr) setsockopt(socket->fd(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  if (source != nullptr && ::bind(socket->fd(), source->data(), source->size()) != 0) {
    return base::fail(Errc::kIo, fmt::format("bind to {}: {}", source->host(), std::strerror(errno)));
  }
  if (auto begun = socket->connect_to(address.data(), address.size()); !begun) return tl::unexpected(begun.error());
  return socket;
}

Result<Socket> Socket::connect(const net::LocalAddress& address) {
  auto socket = open(AF_UNIX);
  if (!socket) return socket;
  if (auto begun = socket->connect_to(address.data(), address.size()); !begun) return tl::unexpected(begun.error());
  return socket;
}

int Socket::connect_error() const {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

bool Socket::start_tls(ssl_ctx_st* context, TlsSession* session, const std::string& server_name) {
  tls_.reset(SSL_new(context));
  if (tls_ == nullptr || SSL_set_fd(tls_.get(), fd()) != 1) return false;
  if (!server_name.empty()) {
    // What the macro for this does, whose cast from const is of the old kind.
    void* const name = const_cast<char*>(server_name.c_str());
    if (SSL_ctrl(tls_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name) != 1) return false;
    if (SSL_set1_host(tls_.get(), server_name.c_str()) != 1) return false;
  }
  SSL_set_app_data(tls_.get(), session);
  return session == nullptr || *session == nullptr || SSL_set_session(tls_.get(), session->get()) == 1;
}

bool Socket::tls_resumed() const {
  return tls_ != nullptr && SSL_session_reused(tls_.get()) == 1;
}

Socket::Handshake Socket::handshake() {
  ERR_clear_error();
  const int result = SSL_connect(tls_.get());
  if (result == 1) return Handshake::kDone;
  const int reason = SSL_get_error(tls_.get(), result);
  return reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE ? Handshake::kAgain : Handshake::kFailed;
}

std::string Socket::handshake_failure() const {
  const long verified = SSL_get_verify_result(tls_.get());
  if (verified != X509_V_OK) return X509_verify_cert_error_string(verified);
  const char* text = ERR_reason_error_string(ERR_peek_error());
  return text == nullptr ? "the server broke it off" : text;
}

IoResult Socket::read(base::MutableBytes out) {
  if (tls_) {
    ERR_clear_error();
    std::size_t bytes = 0;
    const int result = SSL_read_ex(tls_.get(), out.data(), out.size(), &bytes);
    return after_tls_call(result, bytes);
  }
  for (;;) {
    const ssize_t count = recv(fd(), out.data(), out.size(), 0);
    if (count > 0) return {IoStatus::kOk, static_cast<std::size_t>(count)};
    if (count == 0) return {IoStatus::kEof};
    if (errno != EINTR) return {errno == EAGAIN ? IoStatus::kAgain : IoStatus::kError};
  }
}

IoResult Socket::write(base::ByteView bytes) {
  if (tls_) {
    ERR_clear_error();
    std::size_t written = 0;
    const int result = SSL_write_ex(tls_.get(), bytes.data(), bytes.size(), &written);
    return after_tls_call(result, written);
  }
  for (;;) {
    const ssize_t count = send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count >= 0) return {IoStatus::kOk, static_cast<std::size_t>(count)};
    if (errno != EINTR) return {errno == EAGAIN ? IoStatus::kAgain : IoStatus::kError};
  }
}

IoResult Socket::after_tls_call(int result, std::size_t bytes) {
  if (result == 1) return {IoStatus::kOk, bytes};
  switch (SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return {IoStatus::kAgain};
    case SSL_ERROR_ZERO_RETURN:
      return {IoStatus::kEof};
    default:
      return {IoStatus::kError};
  }
}

void Socket::reset() {
  const linger at_once{1, 0};
  setsockopt(fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  // OpenSSL would not resume the session of a connection that broke. The libraries of devices do.
  if (tls_) SSL_set_shutdown(tls_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  tls_.reset();
  fd_.reset();
}

void Socket::close() {
  if (tls_) {
    ERR_clear_error();
    SSL_shutdown(tls_.get());
    tls_.reset();
  }
  fd_.reset();
}

}  // namespace mooring::bench
