#include "ws/handshake.h"

#include <fmt/format.h>
#include <algorithm>

#include "base/text.h"
#include "ws/accept_key.h"
#include "ws/header_list.h"

namespace mooring::ws {
namespace {

constexpr std::string_view kProxyAdvice =
    "let it use HTTP/1.1 and pass on 'Upgrade: websocket' and 'Connection: upgrade' (nginx: proxy_http_version 1.1; "
    "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\")";

constexpr HeaderField kUpgradeHeader{"Upgrade", "websocket"};
constexpr HeaderField kVersionHeader{"Sec-WebSocket-Version", "13"};

std::string quoted(std::string_view value) {
  return fmt::format("'{}'", base::printable(value, 40));
}

Reject upgrade_required(std::string message) {
  return {426, std::move(message), {kUpgradeHeader, kVersionHeader}};
}
Reject bad_request(std::string message) {
  return {400, std::move(message), {}};
}

std::optional<Reject> check_http(const UpgradeRequest& request) {
  if (request.method != "GET") {
    return Reject{405,
                  fmt::format("a WebSocket handshake is a GET request, this is {}", quoted(request.method)),
                  {{"Allow", "GET"}}};
  }
  const bool too_old = request.http_major < 1 || (request.http_major == 1 && request.http_minor < 1);
  if (too_old) {
    return upgrade_required(
        fmt::format("the request came as HTTP/{}.{}, which cannot carry a WebSocket: most likely a "
                    "proxy in front talks to this server that way; {}",
                    request.http_major, request.http_minor, kProxyAdvice));
  }
  return std::nullopt;
}

std::optional<Reject> check_upgrade_header(Headers headers) {
  if (lists_token(headers, "Upgrade", "websocket")) return std::nullopt;
  if (count_headers(headers, "Upgrade") != 0) {
    return upgrade_required(
        fmt::format("the Upgrade header is {}, not 'websocket'", quoted(first_value(headers, "Upgrade"))));
  }
  if (count_headers(headers, "Sec-WebSocket-Key") != 0) {
    return upgrade_required(fmt::format(
        "Upgrade header missing from a WebSocket handshake: a proxy in front removed it; {}", kProxyAdvice));
  }
  return upgrade_required(
      "this is no WebSocket handshake: neither Upgrade nor Sec-WebSocket-Key header; connect with a "
      "WebSocket client (ws:// or wss://)");
}

std::optional<Reject> check_connection_header(Headers headers) {
  if (lists_token(headers, "Connection", "upgrade")) return std::nullopt;
  if (count_headers(headers, "Connection") == 0) {
    return bad_request(fmt::format(
        "Connection header missing from a WebSocket handshake: a proxy in front removed it; {}", kProxyAdvice));
  }
  return bad_request(fmt::format("the Connection header is {} instead of 'upgrade': a proxy in front replaced it; {}",
                                 quoted(first_value(headers, "Connection")), kProxyAdvice));
}

std::optional<Reject> check_version(Headers headers) {
  constexpr std::string_view kName = "Sec-WebSocket-Version";
  const std::size_t count = count_headers(headers, kName);
  if (count > 1) return bad_request("more than one Sec-WebSocket-Version header");
  if (count == 0) return upgrade_required("Sec-WebSocket-Version header missing; version 13 is spoken here");
  const std::string_view version = first_value(headers, kName);
  if (version == "13") return std::nullopt;
  return upgrade_required(fmt::format("Sec-WebSocket-Version is {}; version 13 is spoken here", quoted(version)));
}

// The base64 form of 16 bytes: 22 characters and two of padding. Bits that the last character has to spare are not
// looked at, small encoders leave anything there.
bool is_key(std::string_view key) {
  const auto is_base64 = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  };
  return key.size() == 24 && key.ends_with("==") && std::all_of(key.begin(), key.end() - 2, is_base64);
}

std::optional<Reject> check_key(Headers headers) {
  constexpr std::string_view kName = "Sec-WebSocket-Key";
  const std::size_t count = count_headers(headers, kName);
  if (count == 0) return bad_request("Sec-WebSocket-Key header missing");
  if (count > 1) return bad_request("more than one Sec-WebSocket-Key header");
  if (is_key(first_value(headers, kName))) return std::nullopt;
  return bad_request("the Sec-WebSocket-Key header is not the base64 form of 16 bytes");
}

std::string_view choose_subprotocol(Headers headers, std::span<const std::string_view> known) {
  for (const HeaderField& header : headers) {
    if (!base::iequals(header.name, "Sec-WebSocket-Protocol")) continue;
    std::optional<std::string_view> list = header.value;
    while (const auto offered = take_element(list)) {
      const auto found = std::find(known.begin(), known.end(), *offered);
      if (found != known.end()) return *found;
    }
  }
  return {};
}

std::string_view status_text(int status) {
  switch (status) {
    case 405:
      return "Method Not Allowed";
    case 426:
      return "Upgrade Required";
    default:
      return "Bad Request";
  }
}

}  // namespace

bool is_upgrade(const UpgradeRequest& request) {
  return lists_token(request.headers, "Upgrade", "websocket") ||
         count_headers(request.headers, "Sec-WebSocket-Key") != 0;
}

tl::expected<Accept, Reject> check_upgrade(const UpgradeRequest& request, std::span<const std::string_view> known) {
  std::optional<Reject> reject = check_http(request);
  if (!reject) reject = check_upgrade_header(request.headers);
  if (!reject) reject = check_connection_header(request.headers);
  if (!reject) reject = check_version(request.headers);
  if (!reject) reject = check_key(request.headers);
  if (reject) return tl::unexpected<Reject>(std::move(*reject));
  return Accept{choose_subprotocol(request.headers, known),
                accept_key_for(first_value(request.headers, "Sec-WebSocket-Key"))};
}

std::string build_response(const Accept& accept) {
  std::string out =
      "HTTP/1.1 101 Switching Protocols\r\n"
      "Upgrade: websocket\r\n"
      "Connection: Upgrade\r\n";
  out += fmt::format("Sec-WebSocket-Accept: {}\r\n", accept.accept_key);
  if (!accept.subprotocol.empty()) out += fmt::format("Sec-WebSocket-Protocol: {}\r\n", accept.subprotocol);
  out += "\r\n";
  return out;
}

std::string build_response(const Reject& reject) {
  // Whoever sends an Upgrade header has to name it in Connection: RFC 9110 section 7.8.
  const bool upgrade = count_headers(reject.headers, "Upgrade") != 0;
  std::string out = fmt::format("HTTP/1.1 {} {}\r\nConnection: {}\r\n", reject.status, status_text(reject.status),
                                upgrade ? "Upgrade, close" : "close");
  for (const HeaderField& header : reject.headers) out += fmt::format("{}: {}\r\n", header.name, header.value);
  out += fmt::format("Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n{}\n",
                     reject.message.size() + 1, reject.message);
  return out;
}

}  // namespace mooring::ws
