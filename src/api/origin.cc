#include "api/origin.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace mooring::api {
namespace {

bool is_scheme(std::string_view scheme) {
  return !scheme.empty() && scheme[0] >= 'a' && scheme[0] <= 'z' && std::ranges::all_of(scheme, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
  });
}

bool is_host(std::string_view host) {
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  return !host.empty() && std::ranges::all_of(host, [bracketed](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
           (bracketed ? c == ':' : c == '-' || c == '_');
  });
}

bool is_port(std::string_view port) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  return error == std::errc() && end == port.data() + port.size() && number >= 1 && number <= 65'535;
}

}  // namespace

base::Result<std::string> normalized_origin(std::string_view text) {
  const auto wrong = [&] {
    return base::fail(base::Errc::kInvalidArgument,
                      fmt::format("'{}' is no origin: write it as https://app.example.com or http://localhost:8080",
                                  base::printable(text, 160)));
  };
  std::string origin = base::to_lower(base::trim(text));
  const std::size_t scheme_end = origin.find("://");
  if (scheme_end == std::string::npos) return wrong();
  const std::string scheme = origin.substr(0, scheme_end);
  std::string_view rest = std::string_view(origin).substr(scheme_end + 3);
  if (rest.ends_with('/')) rest.remove_suffix(1);
  const std::size_t colon = rest.find(':', rest.starts_with('[') ? std::min(rest.find(']'), rest.size()) : 0);
  const std::string_view host = rest.substr(0, colon);
  const std::string_view port = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
  if (!is_scheme(scheme) || !is_host(host) || (colon != std::string_view::npos && !is_port(port))) return wrong();
  const bool default_port = (scheme == "https" && port == "443") || (scheme == "http" && port == "80");
  std::string out = scheme + "://" + std::string(host);
  if (!port.empty() && !default_port) out += ':' + std::string(port);
  return out;
}

}  // namespace mooring::api
