#include "client_stream.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/clock.h"

namespace mooring::app {
namespace {

using base::Errc;
using base::Result;

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

tl::unexpected<base::Error> stopped() {
  return base::fail(Errc::kUnavailable, "stopped");
}

// true: ready; false: the time is over.
Result<bool> wait_for(int fd, short events, int timeout_ms, const StopSignal& stop) {
  pollfd waits[2] = {{fd, events, 0}, {stop.fd(), POLLIN, 0}};
  const int ready = poll(waits, 2, timeout_ms);
  if (ready < 0 && errno != EINTR) return base::fail(Errc::kIo, fmt::format("poll: {}", std::strerror(errno)));
  if (ready > 0 && waits[1].revents != 0) return stopped();
  return ready > 0 && waits[0].revents != 0;
}

Result<> wait_until_ready(int fd, short events, int timeout_ms, const StopSignal& stop, std::string_view what) {
  const auto ready = wait_for(fd, events, timeout_ms, stop);
  if (!ready) return tl::unexpected(ready.error());
  if (!*ready) return base::fail(Errc::kIo, fmt::format("no answer within {} ms: {}", timeout_ms, what));
  return {};
}

Result<Socket> connect_to(int family, const sockaddr* address, socklen_t size, const StopSignal& stop) {
  Socket socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.fd() < 0) return base::fail(Errc::kIo, std::strerror(errno));
  if (::connect(socket.fd(), address, size) != 0) {
    if (errno != EINPROGRESS) return base::fail(Errc::kIo, std::strerror(errno));
    const auto ready = wait_until_ready(socket.fd(), POLLOUT, ClientStream::kOpenTimeoutMs, stop, "connecting");
    if (!ready) return tl::unexpected(ready.error());
    int error = 0;
    socklen_t error_size = sizeof error;
    getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &error_size);
    if (error != 0) return base::fail(Errc::kIo, std::strerror(error));
  }
  if (family != AF_UNIX) {
    const int on = 1;
    setsockopt(socket.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  return socket;
}

Result<Socket> connect_unix(const std::string& path, const StopSignal& stop) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return base::fail(Errc::kInvalidArgument, fmt::format("the path {} is too long for a socket", path));
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  auto socket = connect_to(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address, stop);
  if (socket || socket.error().message == "stopped") return socket;
  return base::fail(Errc::kIo, fmt::format("cannot reach the server through {}: {}; is it running on this data folder?",
                                           path, socket.error().message));
}

// Tries every address of the name.
Result<Socket> connect_tcp(const std::string& host, std::uint16_t port, const StopSignal& stop) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string service = std::to_string(port);
  const int error = getaddrinfo(host.c_str(), service.c_str(), &hints, &found);
  if (error != 0) return base::fail(Errc::kIo, fmt::format("cannot find {}: {}", host, gai_strerror(error)));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, &freeaddrinfo);
  std::string reasons;
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    auto socket = connect_to(address->ai_family, address->ai_addr, address->ai_addrlen, stop);
    if (socket || stop.raised()) return socket;
    if (reasons.find(socket.error().message) == std::string::npos) {
      reasons += (reasons.empty() ? "" : ", ") + socket.error().message;
    }
  }
  return base::fail(Errc::kIo, fmt::format("cannot connect to {} port {}: {}", host, port, reasons));
}

class PlainStream final : public ClientStream {
 public:
  PlainStream(Socket socket, const StopSignal& stop) : socket_(std::move(socket)), stop_(stop) {}

  Result<std::size_t> read(base::MutableBytes out, int timeout_ms) override {
    const auto ready = wait_for(socket_.fd(), POLLIN, timeout_ms, stop_);
    if (!ready) return tl::unexpected(ready.error());
    if (!*ready) return 0;
    const ssize_t count = recv(socket_.fd(), out.data(), out.size(), 0);
    if (count > 0) return static_cast<std::size_t>(count);
    if (count == 0) return base::fail(Errc::kUnavailable, "the server closed the connection");
    if (errno == EAGAIN || errno == EINTR) return 0;
    return base::fail(Errc::kUnavailable, std::strerror(errno));
  }

  Result<> write(base::ByteView bytes) override {
    while (!bytes.empty()) {
      const ssize_t count = send(socket_.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count >= 0) {
        bytes = bytes.subspan(static_cast<std::size_t>(count));
        continue;
      }
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return base::fail(Errc::kUnavailable, std::strerror(errno));
      const auto ready = wait_until_ready(socket_.fd(), POLLOUT, kWriteTimeoutMs, stop_, "sending");
      if (!ready) return ready;
    }
    return {};
  }

  void finish_writing() override { shutdown(socket_.fd(), SHUT_WR); }

 private:
  Socket socket_;
  const StopSignal& stop_;
};

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using ContextPtr = std::unique_ptr<SSL_CTX, FreeContext>;
using SslPtr = std::unique_ptr<SSL, FreeSsl>;

std::string tls_error() {
  const unsigned long error = ERR_peek_error();
  ERR_clear_error();
  const char* text = error == 0 ? nullptr : ERR_reason_error_string(error);
  return text == nullptr ? "the server broke off the TLS handshake" : text;
}

bool is_address(const std::string& host) {
  in6_addr buffer{};
  return inet_pton(AF_INET, host.c_str(), &buffer) == 1 || inet_pton(AF_INET6, host.c_str(), &buffer) == 1;
}

Result<ContextPtr> make_context(const StreamTarget& target) {
  ContextPtr context(SSL_CTX_new(TLS_client_method()));
  if (!context) return base::fail(Errc::kInternal, "TLS cannot be set up");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_verify(context.get(), target.insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
  if (target.insecure) return context;
  if (target.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context.get());
  } else if (SSL_CTX_load_verify_locations(context.get(), target.ca_file.c_str(), nullptr) != 1) {
    ERR_clear_error();
    return base::fail(Errc::kInvalidArgument, fmt::format("{} is not a readable PEM certificate", target.ca_file));
  }
  return context;
}

Result<SslPtr> make_ssl(SSL_CTX* context, const StreamTarget& target, int fd) {
  SslPtr ssl(SSL_new(context));
  if (!ssl || SSL_set_fd(ssl.get(), fd) != 1) return base::fail(Errc::kInternal, "TLS cannot be set up");
  std::string host = target.host;
  if (is_address(host)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), host.c_str());
  } else {
    SSL_set1_host(ssl.get(), host.c_str());
    // SSL_set_tlsext_host_name without its old-style cast; the name is copied.
    SSL_ctrl(ssl.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, host.data());
  }
  return ssl;
}

class TlsStream final : public ClientStream {
 public:
  TlsStream(Socket socket, ContextPtr context, SslPtr ssl, const StopSignal& stop)
      : socket_(std::move(socket)), context_(std::move(context)), ssl_(std::move(ssl)), stop_(stop) {}

  Result<> handshake() {
    const base::MonoMs deadline = base::system_clock().mono_ms() + kOpenTimeoutMs;
    for (;;) {
      ERR_clear_error();
      const int done = SSL_connect(ssl_.get());
      if (done == 1) return {};
      const short events = wanted_events(done);
      if (events == 0) return handshake_failed();
      const auto left_ms = deadline - base::system_clock().mono_ms();
      const auto ready =
          wait_until_ready(socket_.fd(), events, left_ms > 0 ? static_cast<int>(left_ms) : 0, stop_, "TLS handshake");
      if (!ready) return ready;
    }
  }

  Result<std::size_t> read(base::MutableBytes out, int timeout_ms) override {
    if (auto now = read_now(out); !now || *now > 0) return now;
    const auto ready = wait_for(socket_.fd(), POLLIN, timeout_ms, stop_);
    if (!ready) return tl::unexpected(ready.error());
    if (!*ready) return 0;
    return read_now(out);
  }

  Result<> write(base::ByteView bytes) override {
    while (!bytes.empty()) {
      ERR_clear_error();
      std::size_t count = 0;
      const int done = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &count);
      if (done == 1) {
        bytes = bytes.subspan(count);
        continue;
      }
      const short events = wanted_events(done);
      if (events == 0) return base::fail(Errc::kUnavailable, "the server closed the connection");
      const auto ready = wait_until_ready(socket_.fd(), events, kWriteTimeoutMs, stop_, "sending");
      if (!ready) return ready;
    }
    return {};
  }

  void finish_writing() override {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    shutdown(socket_.fd(), SHUT_WR);
  }

 private:
  // What OpenSSL waits for; 0: it failed.
  short wanted_events(int result) const {
    const int reason = SSL_get_error(ssl_.get(), result);
    if (reason == SSL_ERROR_WANT_READ) return POLLIN;
    return reason == SSL_ERROR_WANT_WRITE ? POLLOUT : 0;
  }

  Result<std::size_t> read_now(base::MutableBytes out) {
    ERR_clear_error();
    std::size_t count = 0;
    const int done = SSL_read_ex(ssl_.get(), out.data(), out.size(), &count);
    if (done == 1) return count;
    if (wanted_events(done) != 0) return 0;
    return base::fail(Errc::kUnavailable, "the server closed the connection");
  }

  Result<> handshake_failed() const {
    const long verified = SSL_get_verify_result(ssl_.get());
    if (verified == X509_V_OK) return base::fail(Errc::kIo, fmt::format("TLS: {}", tls_error()));
    ERR_clear_error();
    return base::fail(Errc::kIo, fmt::format("the server's certificate is not trusted: {}; name its root with --cafile "
                                             "(the server offers it at /ca.crt)",
                                             X509_verify_cert_error_string(verified)));
  }

  Socket socket_;
  ContextPtr context_;
  SslPtr ssl_;
  const StopSignal& stop_;
};

Result<std::unique_ptr<ClientStream>> open_tls(Socket socket, const StreamTarget& target, const StopSignal& stop) {
  auto context = make_context(target);
  if (!context) return tl::unexpected(context.error());
  auto ssl = make_ssl(context->get(), target, socket.fd());
  if (!ssl) return tl::unexpected(ssl.error());
  auto stream = std::make_unique<TlsStream>(std::move(socket), std::move(*context), std::move(*ssl), stop);
  const auto done = stream->handshake();
  if (!done) return tl::unexpected(done.error());
  return stream;
}

}  // namespace

Result<std::unique_ptr<ClientStream>> ClientStream::open(const StreamTarget& target, const StopSignal& stop) {
  auto socket =
      target.unix_socket.empty() ? connect_tcp(target.host, target.port, stop) : connect_unix(target.unix_socket, stop);
  if (!socket) return tl::unexpected(socket.error());
  if (target.unix_socket.empty() && target.tls) return open_tls(std::move(*socket), target, stop);
  return std::make_unique<PlainStream>(std::move(*socket), stop);
}

}  // namespace mooring::app
