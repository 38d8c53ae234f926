#include "target.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <utility>

#include "base/text.h"

namespace mooring::bench {

using base::Errc;
using base::Result;

namespace {

constexpr std::string_view kSchemes[] = {"ws", "wss", "tcp", "tls", "mqtt", "mqtts"};

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
  const auto address = net::SocketAddress::parse(host == "localhost" ? "127.0.0.1" : host, port);
  if (!address) return bad;
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
  const auto address = net::SocketAddress::unix_path((std::filesystem::path(data_folder) / "mooring.sock").string());
  if (!address) return tl::unexpected(address.error());
  Target target;
  target.address = *address;
  target.scheme = "unix";
  return target;
}

}  // namespace mooring::bench
