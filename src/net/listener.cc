#include "net/listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.h"

namespace mooring::net {
namespace {

constexpr int kBacklog = 4096;
constexpr base::MonoMs kTellEveryMs = 1000;
constexpr base::MonoMs kPauseMs = 100;
constexpr int kMaxAcceptsPerTurn = 32;  // handshakes of one loop turn; the rest waits in the kernel's queue

base::Error bind_error(const SocketAddress& address) {
  const int error = errno;
  std::string text = "cannot listen on " + address.to_text() + ": " + std::strerror(error);
  if (error == EADDRINUSE) {
    text += "; another program has this port: stop it, or choose another with --listen HOST:PORT";
    return {base::Errc::kUnavailable, text};
  }
  if (error == EACCES) {
    text +=
        "; ports below 1024 need root or CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities), "
        "or choose another with --listen HOST:PORT";
    return {base::Errc::kPermissionDenied, text};
  }
  if (error == EADDRNOTAVAIL) text += "; this machine does not have that address";
  return {base::Errc::kIo, text};
}

UniqueFd open_reserve() {
  return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

bool set_flag(int fd, int level, int option) {
  const int on = 1;
  return ::setsockopt(fd, level, option, &on, sizeof on) == 0;
}

}  // namespace

base::Result<UniqueFd> open_listener(const SocketAddress& address, bool share) {
  UniqueFd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return tl::unexpected(bind_error(address));
  bool ok = set_flag(fd.get(), SOL_SOCKET, SO_REUSEADDR);
  if (address.family() == AF_INET6) ok = ok && set_flag(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY);
  if (share) ok = ok && set_flag(fd.get(), SOL_SOCKET, SO_REUSEPORT);
  ok = ok && set_flag(fd.get(), IPPROTO_TCP, TCP_NODELAY);  // accepted sockets inherit it (tcp(7))
  if (!ok || ::bind(fd.get(), address.data(), address.size()) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    return tl::unexpected(bind_error(address));
  }
  return fd;
}

base::Result<UniqueFd> open_local_listener(const std::string& path) {
  const auto address = LocalAddress::parse(path);
  if (!address) return tl::unexpected(address.error());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  ::unlink(path.c_str());  // the caller holds the data folder's lock, so an existing file is a leftover
  const mode_t old_mask = ::umask(0177);
  const bool ok = fd && ::bind(fd.get(), address->data(), address->size()) == 0 && ::listen(fd.get(), kBacklog) == 0;
  const int error = errno;
  ::umask(old_mask);
  if (!ok) return base::fail(base::Errc::kIo, "cannot open the local socket " + path + ": " + std::strerror(error));
  return fd;
}

base::Result<SocketAddress> bound_address(const UniqueFd& fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
    return base::fail(base::Errc::kIo, std::string("cannot ask for a socket's address: ") + std::strerror(errno));
  }
  return SocketAddress(reinterpret_cast<sockaddr*>(&storage), size);
}

Listener::Listener(Loop& loop, UniqueFd fd, OnAccept on_accept)
    : loop_(loop), fd_(std::move(fd)), reserve_(open_reserve()), on_accept_(std::move(on_accept)) {}

Listener::~Listener() {
  stop();
}

base::Result<> Listener::start() {
  return loop_.watch(fd_.get(), *this, Loop::Watch::kLevelRead);
}

void Listener::stop() {
  cancel();
  if (!fd_) return;
  loop_.unwatch(fd_.get());
  fd_.reset();
}

void Listener::on_ready(std::uint32_t) {
  // Another thread may have been quicker when it was given up last.
  if (!reserve_) reserve_ = open_reserve();
  for (int i = 0; i < kMaxAcceptsPerTurn && fd_; ++i) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    UniqueFd accepted(::accept4(fd_.get(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!accepted) {
      if (errno == EMFILE || errno == ENFILE) shed_one();
      return;
    }
    on_accept_(std::move(accepted), SocketAddress(reinterpret_cast<sockaddr*>(&peer), size));
  }
}

void Listener::shed_one() {
  reserve_.reset();
  UniqueFd refused(::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  const bool still_without = !refused && (errno == EMFILE || errno == ENFILE);
  if (refused) ++shed_;
  tell_shed();
  refused.reset();
  reserve_ = open_reserve();
  if (still_without) pause();
}

void Listener::tell_shed() {
  if (loop_.now_ms() < tell_from_ms_) return;
  base::log_error("net",
                  "out of file descriptors: {} new connections were closed, others wait; raise the limit (LimitNOFILE, "
                  "ulimit -n)",
                  std::exchange(shed_, 0));
  tell_from_ms_ = loop_.now_ms() + kTellEveryMs;
}

void Listener::pause() {
  loop_.unwatch(fd_.get());
  loop_.timers().schedule(*this, loop_.now_ms() + kPauseMs);
}

void Listener::on_timer(base::MonoMs now) {
  if (!loop_.watch(fd_.get(), *this, Loop::Watch::kLevelRead)) loop_.timers().schedule(*this, now + kPauseMs);
}

}  // namespace mooring::net
