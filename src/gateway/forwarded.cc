#include "gateway/forwarded.h"

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace mooring::gateway {
namespace {

std::optional<std::string_view> last_entry(const http::Request& request, std::string_view name) {
  const auto field = std::find_if(request.fields.rbegin(), request.fields.rend(),
                                  [&](const http::Field& f) { return base::iequals(f.name, name); });
  if (field == request.fields.rend()) return std::nullopt;
  const std::string_view value = field->value;
  const std::size_t comma = value.rfind(',');
  return base::trim(comma == std::string_view::npos ? value : value.substr(comma + 1));
}

}  // namespace

Forwarded forwarded_by(const http::Request& request, const net::SocketAddress& peer,
                       const std::vector<net::AddressBlock>& trusted_proxies) {
  Forwarded found;
  const auto client = last_entry(request, "X-Forwarded-For");
  // RFC 7239 and RFC 9110 section 7.6.3: not believed, but they tell that there is a proxy.
  found.by_proxy = client || request.field("Forwarded") || request.field("Via");
  const bool trusted = std::any_of(trusted_proxies.begin(), trusted_proxies.end(),
                                   [&](const net::AddressBlock& block) { return block.contains(peer); });
  if (!trusted) return found;
  found.client = client.value_or("");
  const auto is_scheme = [](const http::Field& f) { return base::iequals(f.name, "X-Forwarded-Proto"); };
  const auto schemes = std::count_if(request.fields.begin(), request.fields.end(), is_scheme);
  if (schemes > 0) found.by_proxy = true;
  if (schemes == 1) found.https = base::iequals(base::trim(*request.field("X-Forwarded-Proto")), "https");
  return found;
}

}  // namespace mooring::gateway
