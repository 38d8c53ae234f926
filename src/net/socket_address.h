// SocketAddress: an IPv4, IPv6 or Unix address of a peer or a listener, and its text.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mooring::net {

class SocketAddress {
 public:
  SocketAddress() = default;
  SocketAddress(const sockaddr* address, socklen_t bytes);
  // A literal IPv4 or IPv6 address (brackets allowed) and a port.
  static base::Result<SocketAddress> parse(std::string_view host, std::uint16_t port);
  static base::Result<SocketAddress> unix_path(std::string_view path);

  int family() const;
  std::uint16_t port() const;
  std::string host() const;     // "127.0.0.1", "::1", "local" for Unix sockets; IPv4 mapped into IPv6 as IPv4
  std::string to_text() const;  // "127.0.0.1:443", "[::1]:443"
  bool is_loopback() const;

  const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(storage_.data()); }
  socklen_t size() const { return bytes_; }

 private:
  alignas(8) std::array<unsigned char, 112> storage_{};  // holds sockaddr_un, the largest
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
