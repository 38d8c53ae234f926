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

std::optional<base::DeviceKeyView> split_names(std::string_view names) {
  const std::size_t ampersand = names.find('&');
  if (ampersand == std::string_view::npos) return std::nullopt;
  const base::DeviceKeyView device(names.substr(0, ampersand), names.substr(ampersand + 1));
  if (device.product_key.empty() || device.device_name.empty()) return std::nullopt;
  return device.device_name.find('&') == std::string_view::npos ? std::optional(device) : std::nullopt;
}

}  // namespace

std::optional<PskIdentity> parse_psk_identity(std::string_view text) {
  if (text.size() > kMaxPskIdentityBytes) return std::nullopt;
  const auto fields = split(text);
  if (!fields || !base::iequals((*fields)[0], "devicename")) return std::nullopt;
  const auto method = crypto::parse_hmac_method((*fields)[1]);
  const auto device = split_names((*fields)[2]);
  if (!method || !device) return std::nullopt;
  return PskIdentity{*device, *method, (*fields)[3]};
}

std::optional<base::DeviceKeyView> device_of_psk_identity(std::string_view text) {
  text = text.substr(0, kMaxPskIdentityBytes);
  for (;;) {
    const std::size_t pipe = text.find('|');
    if (const auto device = split_names(text.substr(0, pipe))) return device;
    if (pipe == std::string_view::npos) return std::nullopt;
    text.remove_prefix(pipe + 1);
  }
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
