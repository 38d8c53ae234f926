#include "target.h"

#include <fmt/format.h>
#include <netdb.h>

#include <charconv>
#include <filesystem>
#include <string>
#include <utility>

#include "base/text.h"

namespace mooring::bench {

using base::Errc;
using base::Result;

namespace {

constexpr std::string_view kSchemes[] = {"ws", "wss", "tcp", "tls", "mqtt", "mqtts"};

// A literal address, or the first one that a name leads to.
Result<net::SocketAddress> resolve(const std::string& host, std::uint16_t port, std::string& server_name) {
  if (const auto literal = net::SocketAddress::parse(host, port)) return *literal;
  server_name = host;
  if (host == "localhost") return net::SocketAddress::parse("127.0.0.1", port);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0) return base::fail(Errc::kNotFound, fmt::format("{}: {}", base::printable(host), gai_strerror(error)));
  const net::SocketAddress address(found->ai_addr, found->ai_addrlen);
  freeaddrinfo(found);
  return address;
}

}  // namespace

Result<Target> parse_target(std::string_view url, const std::string& ca_file) {
  const auto bad =
      base::fail(Errc::kInvalidArgument,
                 fmt::format("\"{}\" is not (ws|wss|tcp|tls|mqtt|mqtts)://ADDRESS:PORT", base::printable(url)));
  const std::size_t colon = url.find("://");
  if (colon == url.npos) return bad;
  Target target;
  for (const std::string_view scheme : kSchemes) {
    if (url.substr(0, colon) == scheme) target.scheme = scheme;
  }
  target.authority = url.substr(colon + 3, url.find('/', colon + 3) - colon - 3);
  const std::size_t port_at = target.authority.rfind(':');
  if (target.scheme.empty() || port_at == std::string::npos) return bad;
  std::uint16_t port = 0;
  const char* const end = target.authority.data() + target.authority.size();
  const auto parsed = std::from_chars(target.authority.data() + port_at + 1, end, port);
  if (parsed.ec != std::errc() || parsed.ptr != end || port == 0) return bad;
  const std::string host = target.authority.substr(0, port_at);
  const auto address = resolve(host, port, target.server_name);
  if (!address) return tl::unexpected(address.error());
  target.address = *address;
  target.websocket = target.scheme.starts_with("ws");
  if (target.scheme == "mqtt") target.scheme = "tcp";
  if (target.scheme == "mqtts") target.scheme = "tls";
  if (target.scheme == "wss" || target.scheme == "tls") {
    auto context = make_tls_client_context(ca_file);
    if (!context) return tl::unexpected(context.error());
    target.tls = std::move(*context);
  }
  return target;
}

Result<Target> operator_target(const std::string& data_folder) {
  const auto address = net::LocalAddress::parse((std::filesystem::path(data_folder) / "mooring.sock").string());
  if (!address) return tl::unexpected(address.error());
  Target target;
  target.local = *address;
  target.scheme = "unix";
  return target;
}

}  // namespace mooring::bench
