#include "http_response.h"

#include <fmt/format.h>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

namespace mooring::app {
namespace {

namespace http = boost::beast::http;
using base::Errc;
using base::fail;

constexpr std::size_t kResponseBytesMax = 64 * 1024 * 1024;

}  // namespace

base::Result<api::AdminResponse> read_http_response(const ReadBytes& read) {
  http::response_parser<http::string_body> parser;
  parser.body_limit(kResponseBytesMax);
  std::string pending;
  base::Bytes buffer(65536);
  boost::beast::error_code error;
  while (!parser.is_done()) {
    const auto received = read(buffer);
    if (!received) return tl::unexpected(received.error());
    if (*received == 0) {
      parser.put_eof(error);
      if (error || !parser.is_done()) return fail(Errc::kUnavailable, "the server ended before it answered");
      break;
    }
    pending.append(base::as_text(base::ByteView(buffer).first(*received)));
    while (!pending.empty() && !parser.is_done()) {
      const std::size_t used = parser.put(boost::asio::const_buffer(pending.data(), pending.size()), error);
      pending.erase(0, used);
      if (error == http::error::need_more) break;
      if (error) return fail(Errc::kUnavailable, fmt::format("the server's answer is no HTTP: {}", error.message()));
    }
    error = {};
  }
  return api::AdminResponse{static_cast<int>(parser.get().result_int()), std::move(parser.get().body())};
}

std::string http_request(std::string_view method, std::string_view target, std::string_view host,
                         std::string_view authorization, std::string_view body) {
  std::string out = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", method, target, host);
  if (!authorization.empty()) out += fmt::format("Authorization: {}\r\n", authorization);
  if (!body.empty()) out += "Content-Type: application/json\r\n";
  out += fmt::format("Content-Length: {}\r\n\r\n", body.size());
  return out.append(body);
}

}  // namespace mooring::app
