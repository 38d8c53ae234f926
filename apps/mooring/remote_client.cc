#include "remote_client.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>

#include "base/bytes.h"
#include "client_stream.h"
#include "http_response.h"
#include "stop_signal.h"

namespace mooring::app {
namespace {

using base::Errc;
using base::fail;
using base::Result;

constexpr int kReadWaitMs = 1000;

bool is_this_machine(std::string_view host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

std::string to_base64(std::string_view text) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    bits = bits << 8 | static_cast<std::uint8_t>(c);
    held += 8;
    while (held >= 6) {
      held -= 6;
      out.push_back(kAlphabet[bits >> held & 63]);
    }
    bits &= (1U << held) - 1;
  }
  if (held > 0) out.push_back(kAlphabet[bits << (6 - held) & 63]);
  while (out.size() % 4 != 0) out.push_back('=');
  return out;
}

// A connection per request: none can go stale, and what takes a while has its own time limit.
class RemoteClient final : public AdminClient {
 public:
  RemoteClient(StreamTarget target, std::string host, std::string authorization)
      : target_(std::move(target)), host_(std::move(host)), authorization_(std::move(authorization)) {}

  Result<api::AdminResponse> request(std::string_view method, std::string_view target, std::string_view body) override {
    const auto stream = ClientStream::open(target_, stop_);
    if (!stream) return tl::unexpected(stream.error());
    const std::string bytes = http_request(method, target, host_, authorization_, body);
    // A server that refuses early answers before it has read everything.
    const auto written = (*stream)->write(base::as_bytes(bytes));
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kRequestWaitMs);
    auto answer = read_http_response([&](base::MutableBytes buffer) -> Result<std::size_t> {
      // A TLS record that holds nothing for us looks like time that passed.
      while (std::chrono::steady_clock::now() < deadline) {
        auto read = (*stream)->read(buffer, kReadWaitMs);
        if (!read || *read != 0) return read;
      }
      return fail(Errc::kUnavailable, "the server did not answer in time");
    });
    if (!answer && !written) return tl::unexpected(written.error());
    return answer;
  }
  bool server_runs() const override { return true; }

 private:
  StopSignal stop_;
  StreamTarget target_;
  std::string host_;
  std::string authorization_;
};

}  // namespace

Result<ServerUrl> parse_server_url(std::string_view text) {
  const auto wrong = [&](std::string_view why) {
    return fail(Errc::kInvalidArgument, fmt::format("--server {}: {}; write it as https://HOST[:PORT]", text, why));
  };
  ServerUrl url;
  if (text.starts_with("http://")) {
    url.tls = false;
    url.port = 80;
  } else if (!text.starts_with("https://")) {
    return wrong("the scheme must be https, or http on this machine");
  }
  std::string_view rest = text.substr(url.tls ? 8 : 7);
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find_first_of("/?#@ ") != rest.npos) return wrong("there may be nothing but host and port");
  const std::size_t bracket = rest.starts_with('[') ? rest.find(']') : 0;
  if (bracket == rest.npos) return wrong("the bracket is not closed");
  const std::size_t colon = rest.find(':', bracket);
  url.host = std::string(bracket > 0 ? rest.substr(1, bracket - 1) : rest.substr(0, colon));
  if (url.host.empty()) return wrong("the host is missing");
  if (colon != rest.npos) {
    const std::string_view port = rest.substr(colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
    if (error != std::errc() || end != port.data() + port.size() || url.port == 0) return wrong("the port is wrong");
  }
  return url;
}

Result<std::unique_ptr<AdminClient>> open_remote_client(const RemoteServer& server) {
  auto url = parse_server_url(server.url);
  if (!url) return tl::unexpected(url.error());
  if (!url->tls && !is_this_machine(url->host)) {
    return fail(Errc::kInvalidArgument, "a token does not travel in the clear: use https, or http to this machine");
  }
  std::string authorization;
  if (!server.account.empty()) {
    authorization = "Basic " + to_base64(server.account + ':' + server.password);
  } else if (!server.token.empty()) {
    authorization = "Bearer " + server.token;
  } else {
    return fail(
        Errc::kInvalidArgument,
        "--server needs a token: --token, or MOORING_TOKEN in the environment ('mooring token create' makes one)");
  }
  if (authorization.find_first_of("\r\n") != std::string::npos) {
    return fail(Errc::kInvalidArgument, "the token holds a line break");
  }
  StreamTarget target;
  target.host = url->host;
  target.port = url->port;
  target.tls = url->tls;
  target.ca_file = server.ca_file;
  target.insecure = server.insecure;
  const std::string host = url->host.find(':') == std::string::npos ? url->host : '[' + url->host + ']';
  return std::make_unique<RemoteClient>(std::move(target), fmt::format("{}:{}", host, url->port),
                                        std::move(authorization));
}

}  // namespace mooring::app
