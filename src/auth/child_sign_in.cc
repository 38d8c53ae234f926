#include "auth/child_sign_in.h"

#include <algorithm>

#include "base/assert.h"
#include "base/text.h"

namespace mooring::auth {
namespace {

constexpr std::size_t kNameBytesMax = 128;

constexpr ChildRefusal kRefusals[] = {
    {400, "child-needs-tls", "secrets are only told over TLS"},
    {401, "child-wrong-signature", "the signature is wrong"},
    {427, "child-elsewhere", "device connect in another place"},
    {428, "child-too-many-online", "too many child devices are online under the gateway"},
    {429, "child-throttled", "too many requests, try again later"},
    {460, "child-parameter", "a parameter is missing, malformed or too many"},
    {500, "child-unavailable", "the server cannot answer right now"},
    {520, "child-no-session", "the child device has no session on this connection"},
    {521, "child-deleted", "the child device was deleted"},
    {522, "child-disabled", "the child device is disabled"},
    {5005, "child-no-product", "there is no such product"},
    {6100, "child-unknown", "there is no such device"},
    {6204, "child-disabled", "the child device is disabled"},
    {6287, "child-wrong-signature", "the signature is wrong"},
    {6288, "child-registration-off", "dynamic registration of the product is switched off"},
    {6289, "child-activated", "the device is activated already"},
    {6400, "child-too-many", "the gateway has too many child devices"},
    {6401, "child-no-topology", "the device is no child of this gateway"},
    {6402, "child-is-gateway", "a gateway cannot be its own child"},
    {6619, "child-other-gateway", "the device is bound to another gateway"},
};

std::string_view field(const HttpFields& fields, std::string_view name) {
  const auto found = fields.find(name);
  return found == fields.end() ? std::string_view() : std::string_view(found->second);
}

// Both spellings are in use (platform.md 2.3).
std::string_view sign_method(const HttpFields& fields) {
  const std::string_view method = field(fields, "signMethod");
  return method.empty() ? field(fields, "signmethod") : method;
}

bool is_unsigned(std::string_view name) {
  return name == "sign" || name == "signMethod" || name == "signmethod";
}

// In the order of their names.
std::string content_of(const HttpFields& fields, bool with_clean_session) {
  std::string content;
  for (const auto& [name, value] : fields) {
    if (is_unsigned(name) || (name == "cleanSession" && !with_clean_session)) continue;
    content.append(name).append(value);
  }
  return content;
}

bool is_bounded(const HttpFields& fields) {
  return fields.size() <= kChildFieldsMax && std::all_of(fields.begin(), fields.end(), [](const auto& one) {
           return one.first.size() <= kChildFieldBytesMax && one.second.size() <= kChildFieldBytesMax;
         });
}

bool fits(const ChildSignIn& child, std::string_view secret, std::string_view content) {
  const crypto::Mac expected = crypto::hmac(child.method, secret, {content});
  return crypto::constant_time_equal(expected.view(), child.mac.view());
}

// A product of certificates has devices without a secret, and those cannot prove anything here.
bool is_signed(const ChildSignIn& child, const CredentialRecord& record) {
  if (record.device_secret.empty() || record.kind == CredentialRecord::Kind::kX509) return false;
  if (fits(child, record.device_secret, child.content)) return true;
  return !child.old_content.empty() && fits(child, record.device_secret, child.old_content);
}

std::optional<ChildRefusal> refuse(int code) {
  return child_refusal(code);
}

}  // namespace

ChildRefusal child_refusal(int code) {
  for (const ChildRefusal& refusal : kRefusals) {
    if (refusal.code == code) return refusal;
  }
  base::assertion_failed("every code of a child has a row", __FILE__, __LINE__);
}

tl::expected<ChildSignIn, ChildRefusal> begin_child_sign_in(const HttpFields& fields) {
  const std::string_view product_key = field(fields, "productKey");
  const std::string_view device_name = field(fields, "deviceName");
  if (!is_bounded(fields) || product_key.empty() || device_name.empty() || product_key.size() > kNameBytesMax ||
      device_name.size() > kNameBytesMax || field(fields, "sign").empty()) {
    return tl::unexpected(child_refusal(460));
  }
  const std::string_view wanted = sign_method(fields);
  const auto method = crypto::parse_hmac_method(wanted.empty() ? "hmacmd5" : wanted);
  if (!method) return tl::unexpected(child_refusal(460));

  ChildSignIn child;
  child.device = {std::string(product_key), std::string(device_name)};
  child.method = *method;
  child.mac = decode_mac(field(fields, "sign"), *method);
  child.content = content_of(fields, false);
  const std::string_view clean_session = field(fields, "cleanSession");
  if (!clean_session.empty()) child.old_content = content_of(fields, true);
  child.clean_session = !base::iequals(clean_session, "false") && clean_session != "0";
  // What it says beyond its signature is no reason to refuse it.
  const std::string_view client_id = field(fields, "clientId");
  child.client_id = client_id.substr(0, client_id.find('|'));
  if (const auto parsed = parse_client_id(client_id)) {
    child.ext_bits = parsed->ext_bits;
    child.auto_subscribe = parsed->auto_subscribe;
    child.facts = parsed->facts();
  }
  return child;
}

std::optional<ChildRefusal> check_child(ChildProof proof, const ChildSignIn& child, const CredentialRecord* record,
                                        const base::DeviceKeyView& gateway, bool is_its_child) {
  const bool login = proof == ChildProof::kLogin;
  if (!login && gateway == base::DeviceKeyView(child.device)) return refuse(6402);
  if (record == nullptr) return refuse(6100);
  // Before the signature: a gateway is no place to try the secrets of other people's devices.
  if (login && !is_its_child) return refuse(6401);
  if (!is_signed(child, *record)) return refuse(login ? 6287 : 401);
  if (record->disabled) return refuse(login ? 522 : 6204);
  return std::nullopt;
}

}  // namespace mooring::auth
