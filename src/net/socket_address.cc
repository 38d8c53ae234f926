#include "net/socket_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>

namespace mooring::net {
namespace {

template <class T>
T load(const sockaddr* address) {
  T out;
  std::memcpy(&out, address, sizeof out);
  return out;
}

// The 16 bytes of an address, IPv4 as ::ffff:a.b.c.d; false for Unix sockets.
bool mapped_bytes(const SocketAddress& address, std::array<std::uint8_t, 16>& out) {
  out.fill(0);
  if (address.family() == AF_INET) {
    const auto in = load<sockaddr_in>(address.data());
    out[10] = out[11] = 0xFF;
    std::memcpy(out.data() + 12, &in.sin_addr, 4);
    return true;
  }
  if (address.family() == AF_INET6) {
    const auto in6 = load<sockaddr_in6>(address.data());
    std::memcpy(out.data(), &in6.sin6_addr, 16);
    return true;
  }
  return false;
}

bool is_mapped_v4(const std::array<std::uint8_t, 16>& bytes) {
  static constexpr std::array<std::uint8_t, 12> kPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  return std::memcmp(bytes.data(), kPrefix.data(), kPrefix.size()) == 0;
}

}  // namespace

SocketAddress::SocketAddress(const sockaddr* address, socklen_t bytes) {
  if (bytes < sizeof address->sa_family) return;
  const bool is_local = address->sa_family == AF_UNIX;
  bytes_ =
      static_cast<std::uint8_t>(std::min<std::size_t>(bytes, is_local ? offsetof(sockaddr, sa_data) : storage_.size()));
  std::memcpy(storage_.data(), address, bytes_);
}

base::Result<SocketAddress> SocketAddress::parse(std::string_view host, std::uint16_t port) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  const std::string text(host);
  sockaddr_in in{};
  if (::inet_pton(AF_INET, text.c_str(), &in.sin_addr) == 1) {
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    return SocketAddress(reinterpret_cast<const sockaddr*>(&in), sizeof in);
  }
  sockaddr_in6 in6{};
  if (::inet_pton(AF_INET6, text.c_str(), &in6.sin6_addr) == 1) {
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(port);
    return SocketAddress(reinterpret_cast<const sockaddr*>(&in6), sizeof in6);
  }
  return base::fail(base::Errc::kInvalidArgument, "'" + text + "' is not an IPv4 or IPv6 address");
}

int SocketAddress::family() const {
  return bytes_ == 0 ? AF_UNSPEC : data()->sa_family;
}

std::uint16_t SocketAddress::port() const {
  if (family() == AF_INET) return ntohs(load<sockaddr_in>(data()).sin_port);
  if (family() == AF_INET6) return ntohs(load<sockaddr_in6>(data()).sin6_port);
  return 0;
}

std::string SocketAddress::host() const {
  std::array<std::uint8_t, 16> bytes{};
  if (!mapped_bytes(*this, bytes)) return "local";
  char text[INET6_ADDRSTRLEN] = {};
  if (!is_mapped_v4(bytes)) {
    ::inet_ntop(AF_INET6, bytes.data(), text, sizeof text);
    return text;
  }
  // By hand, for every connection asks several times, and inet_ntop() goes through printf().
  char* end = text;
  for (std::size_t i = 12; i < 16; ++i) {
    if (i > 12) *end++ = '.';
    end = std::to_chars(end, text + sizeof text, bytes[i]).ptr;
  }
  return {text, end};
}

std::string SocketAddress::to_text() const {
  const std::string h = host();
  if (family() != AF_INET && family() != AF_INET6) return h;
  const bool brackets = h.find(':') != std::string::npos;
  return (brackets ? "[" + h + "]" : h) + ":" + std::to_string(port());
}

bool SocketAddress::is_loopback() const {
  std::array<std::uint8_t, 16> bytes{};
  if (!mapped_bytes(*this, bytes)) return family() == AF_UNIX;
  if (is_mapped_v4(bytes)) return bytes[12] == 127;
  return std::memcmp(bytes.data(), &in6addr_loopback, 16) == 0;
}

base::Result<LocalAddress> LocalAddress::parse(std::string_view path) {
  LocalAddress out;
  if (path.size() >= sizeof out.address_.sun_path) {
    return base::fail(base::Errc::kInvalidArgument,
                      "the path of the local socket is longer than 107 bytes; use a shorter data folder");
  }
  out.address_.sun_family = AF_UNIX;
  std::memcpy(out.address_.sun_path, path.data(), path.size());
  out.bytes_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return out;
}

base::Result<AddressBlock> AddressBlock::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = SocketAddress::parse(text.substr(0, slash), 0);
  if (!address) return tl::unexpected(address.error());
  AddressBlock block;
  mapped_bytes(*address, block.prefix_);
  const int width = address->family() == AF_INET ? 32 : 128;
  int bits = width;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (error != std::errc() || end != digits.data() + digits.size() || bits < 0 || bits > width) {
      return base::fail(base::Errc::kInvalidArgument, "'" + std::string(text) + "' has a wrong prefix length");
    }
  }
  block.bits_ = bits + (128 - width);
  return block;
}

bool AddressBlock::contains(const SocketAddress& address) const {
  std::array<std::uint8_t, 16> bytes{};
  if (!mapped_bytes(address, bytes)) return false;
  for (int bit = 0; bit < bits_; bit += 8) {
    const auto i = static_cast<std::size_t>(bit / 8);
    const int used = std::min(8, bits_ - bit);
    const auto mask = static_cast<std::uint8_t>(0xFF << (8 - used));
    if ((bytes[i] & mask) != (prefix_[i] & mask)) return false;
  }
  return true;
}

}  // namespace mooring::net
