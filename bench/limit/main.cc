// mooring-limit: what the kernel allows. Receives masked frames, unmasks them and writes ready-made ones, with one
// write for each connection and turn of the loop. Of MQTT it knows as much as it needs to find the next packet and the
// payload; it checks nothing, permits everything, stores nothing, bounds nothing. Never let strangers near it.
//
//   mooring-limit [PORT [CERTIFICATE KEY]]
//
// Listens on 127.0.0.1 and prints "ready PORT". With a certificate (PEM files) every connection is TLS. QoS 2 is not
// there, and neither are wildcards but for one level "+".
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "peer.h"

namespace mooring::limit {
namespace {

constexpr std::size_t kRoomBytes = 512 * 1024;
constexpr std::size_t kEventsPerTurn = 256;

std::string accept_key(std::string_view key) {
  const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int bytes = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &bytes, EVP_sha1(), nullptr);
  std::array<unsigned char, 64> encoded;
  const int length = EVP_EncodeBlock(encoded.data(), digest.data(), static_cast<int>(bytes));
  return {reinterpret_cast<const char*>(encoded.data()), static_cast<std::size_t>(length)};
}

bool matches(std::string_view filter, std::string_view topic) {
  const std::size_t plus = filter.find('+');
  if (plus == filter.npos) return filter == topic;
  if (topic.substr(0, plus) != filter.substr(0, plus)) return false;
  const std::size_t slash = topic.find('/', plus);
  return slash != topic.npos && topic.substr(slash) == filter.substr(plus + 1);
}

class Server {
 public:
  Server(int listener, SSL_CTX* tls) : listener_(listener), tls_(tls), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    watch(listener, nullptr, EPOLLIN);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, kEventsPerTurn> events;
    for (;;) {
      const int count = epoll_wait(epoll_.get(), events.data(), events.size(), -1);
      for (int i = 0; i < count; ++i) {
        auto* const peer = static_cast<Peer*>(events[i].data.ptr);
        if (peer == nullptr) {
          accept_all();
        } else if (!peer->dead) {
          if ((events[i].events & EPOLLOUT) != 0) mark(*peer);
          read_all(*peer);
        }
      }
      for (std::size_t i = 0; i < dirty_.size(); ++i) {
        dirty_[i]->dirty = false;
        if (!dirty_[i]->dead && dirty_[i]->write() == Io::kEnd) bury(*dirty_[i]);
      }
      dirty_.clear();
      for (Peer* const peer : dead_) peers_.erase(peer->fd());
      dead_.clear();
    }
  }

 private:
  void watch(int fd, Peer* peer, std::uint32_t what) {
    epoll_event event{};
    event.events = what;
    event.data.ptr = peer;
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
  }

  void accept_all() {
    for (;;) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      auto peer = std::make_unique<Peer>(fd, tls_);
      watch(fd, peer.get(), EPOLLIN | EPOLLOUT | EPOLLET);
      peers_[fd] = std::move(peer);
    }
  }

  void mark(Peer& peer) {
    if (peer.dirty) return;
    peer.dirty = true;
    dirty_.push_back(&peer);
  }

  void bury(Peer& peer) {
    if (std::exchange(peer.dead, true)) return;
    dead_.push_back(&peer);
    bool subscribed = false;
    for (auto& [filter, receivers] : subscriptions_) subscribed |= std::erase(receivers, &peer) > 0;
    if (subscribed) forget_receivers();
  }

  void read_all(Peer& peer) {
    std::size_t bytes = 0;
    for (;;) {
      const Io io = peer.read(room_.data(), room_.size(), bytes);
      if (io == Io::kEnd) return bury(peer);
      if (io == Io::kAgain) return;
      const std::size_t used = take(peer, bytes);
      if (used < bytes) peer.keep(room_.data() + used, bytes - used);
      if (tls_ == nullptr && bytes < room_.size()) return;
    }
  }

  std::size_t take(Peer& peer, std::size_t bytes) {
    if (peer.speaks == Peer::Speaks::kUnknown) {
      peer.speaks = room_[0] == 'G' ? Peer::Speaks::kHttp : Peer::Speaks::kMqtt;
    }
    if (peer.speaks == Peer::Speaks::kHttp) return upgrade(peer, bytes);
    return peer.speaks == Peer::Speaks::kWebSocket ? take_frames(peer, bytes) : take_packets(peer, 0, bytes);
  }

  std::size_t upgrade(Peer& peer, std::size_t bytes) {
    constexpr std::string_view kHeader = "Sec-WebSocket-Key: ";
    const std::string_view head(reinterpret_cast<const char*>(room_.data()), bytes);
    if (head.find("\r\n\r\n") == head.npos) return 0;
    const std::size_t key = head.find(kHeader) + kHeader.size();
    const std::string answer = fmt::format(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
        accept_key(head.substr(key, head.find('\r', key) - key)));
    std::memcpy(peer.append(answer.size()), answer.data(), answer.size());
    mark(peer);
    peer.speaks = Peer::Speaks::kWebSocket;
    return bytes;  // a client waits for the answer
  }

  // Frames of clients: two bytes and the length, the mask, the payload, which holds one packet.
  std::size_t take_frames(Peer& peer, std::size_t bytes) {
    std::size_t at = 0;
    while (bytes - at >= 6) {
      std::uint8_t* const frame = room_.data() + at;
      std::size_t head = 2;
      std::size_t payload = frame[1] & 0x7FU;
      if (payload == 126) {
        payload = std::size_t{frame[2]} << 8 | frame[3];
        head = 4;
      }
      if (bytes - at < head + 4 + payload) break;
      unmask(frame + head + 4, payload, frame + head);
      if ((frame[0] & 0x0F) == 8) bury(peer);
      if ((frame[0] & 0x0F) == 2) take_packets(peer, at + head + 4, at + head + 4 + payload);
      at += head + 4 + payload;
    }
    return at;
  }

  static void unmask(std::uint8_t* payload, std::size_t bytes, const std::uint8_t* key) {
    std::array<std::uint8_t, 8> twice{key[0], key[1], key[2], key[3], key[0], key[1], key[2], key[3]};
    std::uint64_t mask = 0;
    std::memcpy(&mask, twice.data(), sizeof mask);
    std::size_t i = 0;
    for (; i + 8 <= bytes; i += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, payload + i, sizeof word);
      word ^= mask;
      std::memcpy(payload + i, &word, sizeof word);
    }
    for (; i < bytes; ++i) payload[i] ^= key[i % 4];
  }

  std::size_t take_packets(Peer& peer, std::size_t at, std::size_t end) {
    while (end - at >= 2) {
      const std::uint8_t* const packet = room_.data() + at;
      std::size_t body = 0;
      std::size_t head = 1;
      for (unsigned shift = 0; at + head < end; shift += 7) {
        body |= std::size_t{packet[head] & 0x7FU} << shift;
        if ((packet[head++] & 0x80) == 0) break;
      }
      if (end - at < head + body) break;
      take_packet(peer, packet[0], packet + head, body);
      at += head + body;
    }
    return at;
  }

  void take_packet(Peer& peer, std::uint8_t first, const std::uint8_t* body, std::size_t bytes) {
    switch (first >> 4) {
      case 1:
        return answer(peer, {0x20, 2, 0, 0});
      case 3:
        return publish(peer, first >> 1 & 3, body, bytes);
      case 8:
        return subscribe(peer, body, bytes);
      case 12:
        return answer(peer, {0xD0, 0});
      case 14:
        return bury(peer);
      default:
        return;  // PUBACK and what else may come
    }
  }

  void answer(Peer& peer, std::initializer_list<std::uint8_t> packet) {
    const std::size_t head = peer.speaks == Peer::Speaks::kWebSocket ? 2 : 0;
    std::uint8_t* const out = peer.append(head + packet.size());
    if (head > 0) {
      out[0] = 0x82;
      out[1] = static_cast<std::uint8_t>(packet.size());
    }
    std::copy(packet.begin(), packet.end(), out + head);
    mark(peer);
  }

  void subscribe(Peer& peer, const std::uint8_t* body, std::size_t bytes) {
    const std::size_t length = std::size_t{body[2]} << 8 | body[3];
    peer.qos = body[bytes - 1];
    subscriptions_[std::string(reinterpret_cast<const char*>(body) + 4, length)].push_back(&peer);
    forget_receivers();
    answer(peer, {0x90, 3, body[0], body[1], peer.qos});
  }

  void publish(Peer& peer, std::uint8_t qos, const std::uint8_t* body, std::size_t bytes) {
    const std::size_t topic_bytes = std::size_t{body[0]} << 8 | body[1];
    const std::string_view topic(reinterpret_cast<const char*>(body) + 2, topic_bytes);
    const std::uint8_t* payload = body + 2 + topic_bytes;
    if (qos > 0) {
      answer(peer, {0x40, 2, payload[0], payload[1]});
      payload += 2;
    }
    const auto payload_bytes = static_cast<std::size_t>(body + bytes - payload);
    if (peer.last_receivers == nullptr || peer.last_topic != topic) {
      peer.last_topic = topic;
      peer.last_receivers = &receivers_of(topic);
    }
    for (Peer* const receiver : *peer.last_receivers)
      deliver(*receiver, qos, body, 2 + topic_bytes, payload, payload_bytes);
  }

  void deliver(Peer& peer, std::uint8_t qos, const std::uint8_t* topic, std::size_t topic_bytes,
               const std::uint8_t* payload, std::size_t payload_bytes) {
    const std::size_t body = topic_bytes + (qos > 0 ? 2 : 0) + payload_bytes;
    std::array<std::uint8_t, 8> head;
    std::size_t used = 0;
    if (peer.speaks == Peer::Speaks::kWebSocket) {
      const std::size_t packet = body + (body < 128 ? 2 : body < 16'384 ? 3 : 4);
      head[used++] = 0x82;
      if (packet < 126) {
        head[used++] = static_cast<std::uint8_t>(packet);
      } else {
        head[used++] = 126;
        head[used++] = static_cast<std::uint8_t>(packet >> 8);
        head[used++] = static_cast<std::uint8_t>(packet);
      }
    }
    head[used++] = static_cast<std::uint8_t>(0x30 | qos << 1);
    for (std::size_t left = body;; left >>= 7) {
      head[used++] = static_cast<std::uint8_t>((left & 0x7F) | (left > 0x7F ? 0x80 : 0));
      if (left <= 0x7F) break;
    }
    std::uint8_t* out = peer.append(used + body);
    std::memcpy(out, head.data(), used);
    std::memcpy(out + used, topic, topic_bytes);
    out += used + topic_bytes;
    if (qos > 0) {
      if (++peer.next_packet_id == 0) peer.next_packet_id = 1;
      *out++ = static_cast<std::uint8_t>(peer.next_packet_id >> 8);
      *out++ = static_cast<std::uint8_t>(peer.next_packet_id);
    }
    std::memcpy(out, payload, payload_bytes);
    mark(peer);
  }

  const std::vector<Peer*>& receivers_of(std::string_view topic) {
    auto [entry, is_new] = receivers_.try_emplace(std::string(topic));
    if (!is_new) return entry->second;
    for (const auto& [filter, peers] : subscriptions_) {
      if (matches(filter, topic)) entry->second.insert(entry->second.end(), peers.begin(), peers.end());
    }
    return entry->second;
  }

  void forget_receivers() {
    if (receivers_.empty()) return;
    for (const auto& [fd, peer] : peers_) peer->last_receivers = nullptr;
    receivers_.clear();
  }

  int listener_;
  SSL_CTX* tls_;
  net::UniqueFd epoll_;
  std::vector<std::uint8_t> room_ = std::vector<std::uint8_t>(kRoomBytes);
  std::unordered_map<int, std::unique_ptr<Peer>> peers_;
  std::unordered_map<std::string, std::vector<Peer*>> subscriptions_;
  std::unordered_map<std::string, std::vector<Peer*>> receivers_;  // by topic; forgotten when subscriptions change
  std::vector<Peer*> dirty_;
  std::vector<Peer*> dead_;
};

SSL_CTX* make_tls(const char* certificate, const char* key) {
  SSL_CTX* const tls = SSL_CTX_new(TLS_server_method());
  SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  if (SSL_CTX_use_certificate_chain_file(tls, certificate) != 1 ||
      SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1) {
    fmt::print(stderr, "mooring-limit: certificate and key cannot be used\n");
    std::exit(1);
  }
  return tls;
}

int listen_on(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t bytes = sizeof address;
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), bytes) != 0 || listen(fd, SOMAXCONN) != 0) {
    fmt::print(stderr, "mooring-limit: {}\n", std::strerror(errno));
    std::exit(1);
  }
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &bytes);
  fmt::print("ready {}\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return fd;
}

}  // namespace
}  // namespace mooring::limit

int main(int argc, char** argv) {
  using namespace mooring::limit;
  signal(SIGPIPE, SIG_IGN);
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  SSL_CTX* const tls = argc > 3 ? make_tls(argv[2], argv[3]) : nullptr;
  const auto port = static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 0);
  Server(listen_on(port), tls).run();
}
