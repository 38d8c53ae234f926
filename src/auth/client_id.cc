#include "auth/client_id.h"

#include <charconv>

#include "base/text.h"

namespace mooring::auth {
namespace {

// Keys that the server acts on: without '=' the identifier is wrong.
struct ActiveKey {
  std::string_view key;
  std::optional<std::string_view> ClientId::*value;
};
constexpr ActiveKey kActiveKeys[] = {
    {"securemode", &ClientId::secure_mode}, {"signmethod", &ClientId::sign_method},
    {"timestamp", &ClientId::timestamp},    {"authtype", &ClientId::auth_type},
    {"random", &ClientId::random},          {"instanceid", &ClientId::instance_id},
};

// Keys that only describe the device.
struct FactKey {
  std::string_view key;
  std::string_view ClientId::*value;
};
constexpr FactKey kFactKeys[] = {
    {"_v", &ClientId::sdk_version},  {"lan", &ClientId::language}, {"os", &ClientId::system},
    {"v", &ClientId::alink_version}, {"gw", &ClientId::gateway},   {"pid", &ClientId::partner_id},
    {"mid", &ClientId::module_id},   {"sii", &ClientId::network},  {"_uuid", &ClientId::uuid},
};

std::uint32_t parse_ext(std::string_view value) {
  std::uint32_t bits = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), bits);
  return error == std::errc() && end == value.data() + value.size() ? bits : 0;
}

// False: a key that needs a value has none.
bool take_item(std::string_view item, ClientId& out) {
  const std::size_t equals = item.find('=');
  const bool has_value = equals != std::string_view::npos;
  const std::string_view key = base::trim(item.substr(0, equals));
  const std::string_view value = has_value ? base::trim(item.substr(equals + 1)) : std::string_view();
  for (const ActiveKey& active : kActiveKeys) {
    if (!base::iequals(key, active.key)) continue;
    out.*active.value = value;
    return has_value;
  }
  const bool is_ext = base::iequals(key, "ext");
  if (is_ext || base::iequals(key, "_ss")) {
    if (is_ext) {
      out.ext_bits = parse_ext(value);
    } else {
      out.auto_subscribe = value == "1";
    }
    return has_value;
  }
  for (const FactKey& fact : kFactKeys) {
    if (has_value && base::iequals(key, fact.key)) out.*fact.value = value;
  }
  return true;
}

std::string bounded(std::string_view text) {
  if (text.size() > kMaxFactBytes) {
    std::size_t end = kMaxFactBytes;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // not inside a character
    text = text.substr(0, end);
  }
  return std::string(text);
}

}  // namespace

DeviceFacts ClientId::facts() const {
  return {bounded(sdk_version), bounded(language),  bounded(system),  bounded(alink_version), bounded(gateway),
          bounded(partner_id),  bounded(module_id), bounded(network), bounded(uuid)};
}

tl::expected<ClientId, ClientIdError> parse_client_id(std::string_view text) {
  if (text.size() > kMaxClientIdBytes) return tl::unexpected(ClientIdError::kTooLong);
  ClientId out;
  const std::size_t pipe = text.find('|');
  out.base = text.substr(0, pipe);
  if (pipe == std::string_view::npos) return out;
  std::string_view params = text.substr(pipe + 1);
  if (params.ends_with('|')) params.remove_suffix(1);
  while (!params.empty()) {
    const std::size_t comma = params.find(',');
    const std::string_view item = params.substr(0, comma);
    if (!item.empty() && !take_item(item, out)) return tl::unexpected(ClientIdError::kKeyWithoutValue);
    if (comma == std::string_view::npos) break;
    params.remove_prefix(comma + 1);
  }
  return out;
}

bool is_valid_base_client_id(std::string_view base_id, bool may_be_empty) {
  if (base_id.empty()) return may_be_empty;
  return base_id.size() <= kMaxBaseClientIdBytes && base::utf8_length(base_id) <= kMaxBaseClientIdCharacters;
}

}  // namespace mooring::auth
