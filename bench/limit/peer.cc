#include "peer.h"

#include <openssl/err.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace mooring::limit {

Peer::Peer(int fd, SSL_CTX* tls) : fd_(fd) {
  if (tls == nullptr) return;
  ssl_.reset(SSL_new(tls));
  SSL_set_fd(ssl_.get(), fd);
  SSL_set_accept_state(ssl_.get());
}

Io Peer::read(std::uint8_t* room, std::size_t room_bytes, std::size_t& bytes) {
  const std::size_t kept = rest_.size();
  std::memcpy(room, rest_.data(), kept);
  ssize_t got = 0;
  if (ssl_) {
    ERR_clear_error();
    got = SSL_read(ssl_.get(), room + kept, static_cast<int>(room_bytes - kept));
    if (got <= 0) {
      return SSL_get_error(ssl_.get(), static_cast<int>(got)) == SSL_ERROR_WANT_READ ? Io::kAgain : Io::kEnd;
    }
  } else {
    got = recv(fd(), room + kept, room_bytes - kept, 0);
    if (got <= 0) return got < 0 && errno == EAGAIN ? Io::kAgain : Io::kEnd;
  }
  if (kept > 0) std::vector<std::uint8_t>().swap(rest_);
  bytes = kept + static_cast<std::size_t>(got);
  return Io::kOk;
}

Io Peer::write() {
  while (written_ < out_.size()) {
    const std::uint8_t* const from = out_.data() + written_;
    const std::size_t left = out_.size() - written_;
    ssize_t sent = 0;
    if (ssl_) {
      ERR_clear_error();
      sent = SSL_write(ssl_.get(), from, static_cast<int>(left));
      if (sent <= 0) {
        const int error = SSL_get_error(ssl_.get(), static_cast<int>(sent));
        return error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ ? Io::kAgain : Io::kEnd;
      }
    } else {
      sent = send(fd(), from, left, MSG_NOSIGNAL);
      if (sent < 0) return errno == EAGAIN ? Io::kAgain : Io::kEnd;
    }
    written_ += static_cast<std::size_t>(sent);
  }
  written_ = 0;
  out_.clear();
  if (out_.capacity() > 4096) return Io::kOk;  // it is at work; an idle one holds nothing
  std::vector<std::uint8_t>().swap(out_);
  return Io::kOk;
}

}  // namespace mooring::limit
