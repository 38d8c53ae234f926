// Peer: one client of the bare program: its socket, what of a frame is still incomplete, what waits to be written.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "net/unique_fd.h"

namespace mooring::limit {

struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

enum class Io : std::uint8_t { kOk, kAgain, kEnd };

// Non-blocking, plain or under TLS. An idle one holds no buffer.
class Peer {
 public:
  enum class Speaks : std::uint8_t { kUnknown, kHttp, kWebSocket, kMqtt };

  Peer(int fd, SSL_CTX* tls);

  int fd() const { return fd_.get(); }
  // Bytes behind those that are left from before; `room` has to have space for them too.
  Io read(std::uint8_t* room, std::size_t room_bytes, std::size_t& bytes);
  void keep(const std::uint8_t* bytes, std::size_t count) { rest_.assign(bytes, bytes + count); }

  std::uint8_t* append(std::size_t bytes) {  // to what is written at the end of the turn
    const std::size_t begin = out_.size();
    out_.resize(begin + bytes);
    return out_.data() + begin;
  }
  Io write();  // everything there is, in one call if the socket takes it

  Speaks speaks = Speaks::kUnknown;
  bool dirty = false;  // is among those that write at the end of the turn
  bool dead = false;
  std::uint16_t next_packet_id = 0;
  std::uint8_t qos = 0;                                // of its subscription
  std::string last_topic;                              // that it published to, and
  const std::vector<Peer*>* last_receivers = nullptr;  // who has subscribed to that

 private:
  net::UniqueFd fd_;
  std::unique_ptr<SSL, FreeSsl> ssl_;
  std::vector<std::uint8_t> rest_;
  std::vector<std::uint8_t> out_;
  std::size_t written_ = 0;
};

}  // namespace mooring::limit
