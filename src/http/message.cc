#include "http/message.h"

#include <fmt/format.h>

#include <boost/beast/http/status.hpp>
#include <boost/json.hpp>

#include "base/text.h"

namespace mooring::http {

std::optional<std::string_view> Request::field(std::string_view name) const {
  for (const Field& f : fields) {
    if (base::iequals(f.name, name)) return f.value;
  }
  return std::nullopt;
}

Response error_response(int status, std::string_view code, std::string_view message) {
  const boost::json::value body = {{"error", {{"code", code}, {"message", message}}}};
  Response response;
  response.status = status;
  response.body = boost::json::serialize(body);
  return response;
}

std::string serialize(const Response& response, bool keep_alive, bool head_only) {
  const auto reason = boost::beast::http::obsolete_reason(
      static_cast<boost::beast::http::status>(static_cast<unsigned>(response.status)));
  std::string out = fmt::format("HTTP/1.1 {} {}\r\nConnection: {}\r\n", response.status,
                                std::string_view(reason.data(), reason.size()), keep_alive ? "keep-alive" : "close");
  // What these two say at a 304 is said of the file that the client has (RFC 9110 sections 8.6 and 15.4.5).
  const bool has_body = response.status != 304;
  if (has_body) out += fmt::format("Content-Type: {}\r\n", response.content_type);
  if (has_body && response.stream == nullptr) out += fmt::format("Content-Length: {}\r\n", response.body.size());
  // No page of ours may be framed, sniffed or given a referrer.
  out += "X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n";
  for (const Field& f : response.fields) out += fmt::format("{}: {}\r\n", f.name, f.value);
  out += "\r\n";
  if (!head_only && response.stream == nullptr) out += response.body;
  return out;
}

}  // namespace mooring::http
