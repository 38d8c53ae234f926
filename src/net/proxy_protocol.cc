#include "net/proxy_protocol.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <string_view>

namespace mooring::net {
namespace {

constexpr std::array<std::uint8_t, 12> kV2Signature{0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D,
                                                    0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A};
constexpr std::size_t kV1MaxBytes = 107;

ProxyHeader malformed() {
  return {ProxyHeader::Status::kMalformed, 0, false, {}};
}

std::string_view next_word(std::string_view& line) {
  const std::size_t blank = line.find(' ');
  const std::string_view word = line.substr(0, blank);
  line.remove_prefix(blank == std::string_view::npos ? line.size() : blank + 1);
  return word;
}

ProxyHeader parse_v1(std::string_view text) {
  const std::size_t end = text.substr(0, kV1MaxBytes).find("\r\n");
  if (end == std::string_view::npos) {
    return text.size() >= kV1MaxBytes ? malformed() : ProxyHeader{};
  }
  std::string_view line = text.substr(0, end);
  ProxyHeader out{ProxyHeader::Status::kDone, end + 2, false, {}};
  next_word(line);  // PROXY
  const std::string_view protocol = next_word(line);
  if (protocol == "UNKNOWN") return out;
  if (protocol != "TCP4" && protocol != "TCP6") return malformed();
  const std::string_view source = next_word(line);
  next_word(line);  // destination address
  const std::string_view port_text = next_word(line);
  std::uint16_t port = 0;
  const auto [stop, error] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (error != std::errc() || stop != port_text.data() + port_text.size()) return malformed();
  const auto address = SocketAddress::parse(source, port);
  if (!address) return malformed();
  out.has_source = true;
  out.source = *address;
  return out;
}

ProxyHeader parse_v2(base::ByteView input) {
  if (input.size() < 16) return {};
  const std::size_t length = static_cast<std::size_t>(input[14]) << 8 | input[15];
  if ((input[12] & 0xF0) != 0x20 || 16 + length > kMaxProxyHeaderBytes) return malformed();
  if (input.size() < 16 + length) return {};
  ProxyHeader out{ProxyHeader::Status::kDone, 16 + length, false, {}};
  const int command = input[12] & 0x0F;
  if (command == 0) return out;  // LOCAL
  if (command != 1) return malformed();
  const std::uint8_t* addresses = input.data() + 16;
  if ((input[13] == 0x11 && length < 12) || (input[13] == 0x21 && length < 36)) return malformed();
  if (input[13] == 0x11) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    std::memcpy(&in.sin_addr, addresses, 4);
    std::memcpy(&in.sin_port, addresses + 8, 2);
    out.source = SocketAddress(reinterpret_cast<const sockaddr*>(&in), sizeof in);
    out.has_source = true;
  } else if (input[13] == 0x21) {
    sockaddr_in6 in6{};
    in6.sin6_family = AF_INET6;
    std::memcpy(&in6.sin6_addr, addresses, 16);
    std::memcpy(&in6.sin6_port, addresses + 32, 2);
    out.source = SocketAddress(reinterpret_cast<const sockaddr*>(&in6), sizeof in6);
    out.has_source = true;
  }
  return out;
}

}  // namespace

ProxyHeader parse_proxy_header(base::ByteView input) {
  if (input.empty()) return {};
  const std::size_t compared = std::min(input.size(), kV2Signature.size());
  if (std::equal(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(compared), kV2Signature.begin())) {
    return compared == kV2Signature.size() ? parse_v2(input) : ProxyHeader{};
  }
  constexpr std::string_view kV1 = "PROXY ";
  const std::string_view text = base::as_text(input);
  const std::size_t prefix = std::min(text.size(), kV1.size());
  if (text.substr(0, prefix) != kV1.substr(0, prefix)) return malformed();
  return prefix == kV1.size() ? parse_v1(text) : ProxyHeader{};
}

}  // namespace mooring::net
