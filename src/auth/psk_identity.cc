#include "auth/psk_identity.h"

#include <array>
#include <cctype>

#include "base/text.h"

namespace mooring::auth {
namespace {

// Exactly four fields between pipes; neither name may contain one (connection.md section 1).
std::optional<std::array<std::string_view, 4>> split(std::string_view text) {
  std::array<std::string_view, 4> fields;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const std::size_t pipe = text.find('|');
    const bool last = i + 1 == fields.size();
    if (last != (pipe == std::string_view::npos)) return std::nullopt;
    fields[i] = text.substr(0, pipe);
    text.remove_prefix(last ? text.size() : pipe + 1);
  }
  return fields;
}

}  // namespace

std::optional<PskIdentity> parse_psk_identity(std::string_view text) {
  if (text.size() > kMaxPskIdentityBytes) return std::nullopt;
  const auto fields = split(text);
  if (!fields || !base::iequals((*fields)[0], "devicename")) return std::nullopt;
  const auto method = crypto::parse_hmac_method((*fields)[1]);
  const std::string_view names = (*fields)[2];
  const std::size_t ampersand = names.find('&');
  if (!method || ampersand == std::string_view::npos) return std::nullopt;
  const std::string_view product_key = names.substr(0, ampersand);
  const std::string_view device_name = names.substr(ampersand + 1);
  if (product_key.empty() || device_name.empty() || device_name.find('&') != std::string_view::npos) {
    return std::nullopt;
  }
  return PskIdentity{base::DeviceKeyView(product_key, device_name), *method, (*fields)[3]};
}

std::string psk_key(const PskIdentity& identity, std::string_view device_secret) {
  const crypto::Mac mac = crypto::hmac(
      identity.method, device_secret,
      {"id", identity.device.product_key, "&", identity.device.device_name, "timestamp", identity.timestamp});
  std::string key = base::to_hex(mac.view());
  for (char& c : key) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return key;
}

}  // namespace mooring::auth
