#include <fmt/format.h>
#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "ws/accept_key.h"
#include "ws/handshake.h"
#include "ws/header_list.h"

namespace mooring::ws {
namespace {

using base::Errc;
using base::fail;

constexpr std::size_t kKeyBytes = 16;
constexpr std::size_t kQuotedBodyBytes = 300;

bool is_control_character(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), is_control_character);
}

bool has_blank_or_control(std::string_view text) {
  return has_control(text) || text.find(' ') != std::string_view::npos;
}

// An answer that is no 101, in words.
base::Error refusal(const UpgradeResponse& response) {
  std::string message = fmt::format("the server refused the WebSocket handshake with HTTP status {}", response.status);
  if (!response.reason.empty()) message += fmt::format(" {}", base::printable(response.reason, 60));
  const std::string_view location = first_value(response.headers, "Location");
  if (!location.empty()) message += fmt::format(", pointing to {}", base::printable(location));
  if (response.status == 401 || response.status == 403) return {Errc::kPermissionDenied, std::move(message)};
  const bool passing = response.status == 429 || response.status >= 500;
  return {passing ? Errc::kUnavailable : Errc::kInvalidArgument, std::move(message)};
}

bool was_offered(std::string_view subprotocol, std::string_view offered) {
  std::optional<std::string_view> list = offered;
  while (const auto element = take_element(list)) {
    if (*element == subprotocol) return true;
  }
  return false;
}

// Cuts the first line off `head`, without its CR LF.
std::string_view take_line(std::string_view& head) {
  const std::size_t end = head.find("\r\n");
  const std::string_view line = head.substr(0, end);
  head.remove_prefix(end == std::string_view::npos ? head.size() : end + 2);
  return line;
}

// "HTTP/1.1 101 Switching Protocols"; the reason may be missing.
bool parse_status_line(std::string_view line, UpgradeResponse& response) {
  constexpr std::string_view kVersion = "HTTP/1.1 ";
  if (!line.starts_with("HTTP/1.") || line.size() < kVersion.size() + 3 || line[kVersion.size() - 1] != ' ') {
    return false;
  }
  line.remove_prefix(kVersion.size());
  const auto [end, error] = std::from_chars(line.data(), line.data() + 3, response.status);
  if (error != std::errc() || end != line.data() + 3 || response.status < 100) return false;
  response.reason = base::trim(line.substr(3));
  return line.size() == 3 || line[3] == ' ';
}

bool parse_header_lines(std::string_view head, std::vector<HeaderField>& headers) {
  while (!head.empty()) {
    const std::string_view line = take_line(head);
    const std::size_t colon = line.find(':');
    if (colon == 0 || colon == std::string_view::npos || has_blank_or_control(line.substr(0, colon))) return false;
    headers.push_back({line.substr(0, colon), base::trim(line.substr(colon + 1))});
  }
  return true;
}

// Whether `received` can be the beginning of an HTTP/1 answer.
bool looks_like_http(std::string_view received) {
  constexpr std::string_view kStart = "HTTP/1.";
  return received.substr(0, kStart.size()) == kStart.substr(0, received.size());
}

}  // namespace

std::string make_key(base::Random& random) {
  std::array<std::uint8_t, kKeyBytes> bytes;
  random.fill(bytes);
  return to_base64(bytes);
}

base::Result<std::string> build_request(const ClientRequest& request) {
  if (request.host.empty() || has_blank_or_control(request.host)) {
    return fail(Errc::kInvalidArgument, "the host name is empty or holds blanks or control characters");
  }
  if (!request.path.starts_with('/') || has_blank_or_control(request.path)) {
    return fail(Errc::kInvalidArgument, "the path does not start with '/' or holds blanks or control characters");
  }
  if (has_control(request.subprotocol)) {
    return fail(Errc::kInvalidArgument, "the subprotocol holds control characters");
  }
  if (request.key.empty() || has_blank_or_control(request.key)) {
    return fail(Errc::kInvalidArgument, "the handshake key is empty or holds blanks or control characters");
  }
  std::string out = fmt::format(
      "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: {}\r\nSec-WebSocket-Version: 13\r\n",
      request.path, request.host, request.key);
  if (!request.subprotocol.empty()) out += fmt::format("Sec-WebSocket-Protocol: {}\r\n", request.subprotocol);
  out += "\r\n";
  return out;
}

base::Result<std::string> check_response(const UpgradeResponse& response, const ClientRequest& request) {
  const Headers headers = response.headers;
  if (response.status != 101) return tl::unexpected<base::Error>(refusal(response));
  if (!base::iequals(first_value(headers, "Upgrade"), "websocket")) {
    return fail(Errc::kInvalidArgument, "the server's answer to the handshake lacks 'Upgrade: websocket'");
  }
  if (!lists_token(headers, "Connection", "upgrade")) {
    return fail(Errc::kInvalidArgument, "the server's answer to the handshake lacks 'Connection: upgrade'");
  }
  if (first_value(headers, "Sec-WebSocket-Accept") != accept_key_for(request.key)) {
    return fail(Errc::kInvalidArgument,
                "the server's Sec-WebSocket-Accept does not fit our key: something in between "
                "answered from a cache, or the server is none for WebSocket");
  }
  if (!first_value(headers, "Sec-WebSocket-Extensions").empty()) {
    return fail(Errc::kInvalidArgument, "the server chose a WebSocket extension that was not offered");
  }
  if (count_headers(headers, "Sec-WebSocket-Protocol") > 1) {
    return fail(Errc::kInvalidArgument, "the server chose more than one subprotocol");
  }
  const std::string_view chosen = first_value(headers, "Sec-WebSocket-Protocol");
  if (!chosen.empty() && !was_offered(chosen, request.subprotocol)) {
    return fail(Errc::kInvalidArgument, fmt::format("the server chose the subprotocol '{}', which was not offered",
                                                    base::printable(chosen, 40)));
  }
  return std::string(chosen);
}

base::Result<std::optional<Opened>> read_response(std::string_view received, const ClientRequest& request) {
  constexpr std::string_view kHeadEnd = "\r\n\r\n";
  if (!looks_like_http(received)) return fail(Errc::kInvalidArgument, "the server does not answer in HTTP");
  const std::size_t end = received.substr(0, kMaxResponseHeadBytes).find(kHeadEnd);
  if (end == std::string_view::npos) {
    if (received.size() < kMaxResponseHeadBytes) return std::optional<Opened>();
    return fail(Errc::kLimitExceeded,
                fmt::format("the server's answer to the handshake has a head over {} bytes", kMaxResponseHeadBytes));
  }
  std::string_view head = received.substr(0, end + 2);
  UpgradeResponse response;
  std::vector<HeaderField> headers;
  if (!parse_status_line(take_line(head), response) || !parse_header_lines(head, headers)) {
    return fail(Errc::kInvalidArgument, "the server's answer to the handshake is malformed HTTP");
  }
  response.headers = headers;
  base::Result<std::string> subprotocol = check_response(response, request);
  const std::size_t head_bytes = end + kHeadEnd.size();
  if (!subprotocol) {
    base::Error error = std::move(subprotocol.error());
    const std::string_view body = base::trim(received.substr(head_bytes));
    if (response.status != 101 && !body.empty()) {
      error.message += fmt::format(": {}", base::printable(body, kQuotedBodyBytes));
    }
    return tl::unexpected<base::Error>(std::move(error));
  }
  return std::optional<Opened>(Opened{head_bytes, std::move(*subprotocol)});
}

}  // namespace mooring::ws
