// SocketAddress: the address of a peer or a listener, IPv4 or IPv6, and its text. Of a Unix socket it knows only that
// it is one: peers have no path, and every connection keeps an address. LocalAddress is the path of a Unix socket.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mooring::net {

class SocketAddress {
 public:
  SocketAddress() = default;
  // As the kernel gave it; `bytes` is what it said of the size, which may be more than there is room for.
  SocketAddress(const sockaddr* address, socklen_t bytes);
  // A literal IPv4 or IPv6 address (brackets allowed) and a port.
  static base::Result<SocketAddress> parse(std::string_view host, std::uint16_t port);

  int family() const;
  std::uint16_t port() const;
  std::string host() const;     // "127.0.0.1", "::1", "local" for Unix sockets; IPv4 mapped into IPv6 as IPv4
  std::string to_text() const;  // "127.0.0.1:443", "[::1]:443"
  bool is_loopback() const;

  const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(storage_.data()); }
  socklen_t size() const { return bytes_; }

 private:
  alignas(sockaddr_in6) std::array<unsigned char, sizeof(sockaddr_in6)> storage_{};
  std::uint8_t bytes_ = 0;
};

class LocalAddress {
 public:
  static base::Result<LocalAddress> parse(std::string_view path);  // of at most 107 bytes

  const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&address_); }
  socklen_t size() const { return bytes_; }

 private:
  sockaddr_un address_{};
  socklen_t bytes_ = 0;
};

// A block of addresses such as 10.0.0.0/8 or ::1; for the list of trusted proxies.
class AddressBlock {
 public:
  static base::Result<AddressBlock> parse(std::string_view text);
  bool contains(const SocketAddress& address) const;

 private:
  std::array<std::uint8_t, 16> prefix_{};  // IPv4 mapped into IPv6
  int bits_ = 0;
};

}  // namespace mooring::net
