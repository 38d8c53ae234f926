#include "auth/device_http.h"

#include <algorithm>
#include <charconv>
#include <span>

#include "base/text.h"

namespace mooring::auth {
namespace {

constexpr std::string_view kNobodysSecret = "00000000000000000000000000000000";
constexpr std::size_t kNameBytesMax = 128;

// connection.md section 12, publishing.
constexpr int kPublishCommon = 10000;
constexpr int kPublishParameter = 10001;
constexpr int kPublishAuthentication = 20000;
constexpr int kPublishTokenExpired = 20001;
constexpr int kPublishTokenMissing = 20002;
constexpr int kPublishTokenUnknown = 20003;
constexpr int kPublishFailed = 30001;
constexpr int kPublishThrottled = 40000;

bool is_publishing(HttpService service) {
  return service == HttpService::kLogin || service == HttpService::kPublish;
}

std::string_view field(const HttpFields& fields, std::string_view name) {
  const auto found = fields.find(name);
  return found == fields.end() ? std::string_view() : std::string_view(found->second);
}

// The device that is named; nothing when a name is missing or longer than any.
std::optional<base::DeviceKey> device_of(const HttpFields& fields) {
  const std::string_view product_key = field(fields, "productKey");
  const std::string_view device_name = field(fields, "deviceName");
  if (product_key.empty() || device_name.empty()) return std::nullopt;
  if (product_key.size() > kNameBytesMax || device_name.size() > kNameBytesMax) return std::nullopt;
  return base::DeviceKey{std::string(product_key), std::string(device_name)};
}

std::string signed_content(const HttpFields& fields, std::span<const std::string_view> left_out) {
  std::string content;
  for (const auto& [name, value] : fields) {  // in the order of their names
    const bool is_signed = name != "sign" && std::find(left_out.begin(), left_out.end(), name) == left_out.end();
    if (is_signed) content.append(name).append(value);
  }
  return content;
}

// connection.md section 12: a login that is 15 minutes old, or ahead, is refused. Nothing: it is no number.
std::optional<bool> is_fresh(std::string_view timestamp, base::WallMs now_ms) {
  base::WallMs value = 0;
  const auto [end, error] = std::from_chars(timestamp.data(), timestamp.data() + timestamp.size(), value);
  if (error != std::errc() || end != timestamp.data() + timestamp.size() || value < 0) return std::nullopt;
  return value >= now_ms - kLoginWindowMs && value <= now_ms + kLoginWindowMs;
}

}  // namespace

HttpRefusal needs_tls(HttpService service) {
  return {is_publishing(service) ? kPublishCommon : 460, "this is served over HTTPS only", "http-needs-tls"};
}
HttpRefusal malformed(HttpService service) {
  return {is_publishing(service) ? kPublishParameter : 460, "a parameter is missing or malformed", "http-parameter",
          true};
}
HttpRefusal throttled(HttpService service) {
  return {is_publishing(service) ? kPublishThrottled : 429, "too many requests, try again in a minute", "rate-limited"};
}
HttpRefusal unavailable(HttpService service) {
  return {is_publishing(service) ? kPublishCommon : 500, "the server cannot answer right now", "unavailable"};
}
HttpRefusal token_missing() {
  return {kPublishTokenMissing, "the header 'password' with the token is missing", "http-token-missing"};
}
HttpRefusal token_unknown() {
  return {kPublishTokenUnknown, "the token is not one of this server", "http-token-unknown", true};
}
HttpRefusal token_expired() {
  return {kPublishTokenExpired, "the token has expired", "http-token-expired"};
}
HttpRefusal publish_failed() {
  return {kPublishFailed, "the message was not published", "http-publish-failed"};
}

tl::expected<RegistrationRequest, HttpRefusal> begin_http_registration(const HttpFields& fields) {
  RegistrationRequest request;
  auto device = device_of(fields);
  const std::string_view random = field(fields, "random");
  if (!device || random.empty() || random.size() > kRandomBytesMax || field(fields, "sign").empty()) {
    return tl::unexpected(malformed(HttpService::kRegister));
  }
  const auto found = fields.find("signMethod");
  const auto method = crypto::parse_hmac_method(found == fields.end() ? "hmacmd5" : std::string_view(found->second));
  if (!method) {
    return tl::unexpected(
        HttpRefusal{6292, "signMethod is none of hmacmd5, hmacsha1 and hmacsha256", "signmethod-unknown", true});
  }
  request.device = std::move(*device);
  request.random = std::string(random);
  request.method = *method;
  request.mac = decode_mac(field(fields, "sign"), *method);
  return request;
}

HttpRefusal registration_refusal(const Refusal& refusal) {
  switch (refusal.reason) {
    case RefusalReason::kRegistrationUnknownProduct:
      return {5005, "there is no such product", refusal.name};
    case RefusalReason::kRegistrationSignature:
      return {6600, "the signature is wrong", refusal.name};
    case RefusalReason::kRegistrationOff:
      return {6288, "dynamic registration of the product is switched off", refusal.name};
    case RefusalReason::kRegistrationNotPreregistered:
      return {6100, "the device was not registered beforehand", refusal.name};
    case RefusalReason::kRegistrationActivated:
      return {6289, "the device is activated already; reset it first", refusal.name};
    case RefusalReason::kRegistrationDisabledDevice:
      return {6204, "the device is disabled", refusal.name};
    case RefusalReason::kRegistrationName:
      return {6280, "the device name breaks the rules for names", refusal.name};
    case RefusalReason::kUnavailable:
      return unavailable(HttpService::kRegister);
    case RefusalReason::kRateLimited:
      return throttled(HttpService::kRegister);
    default:
      return {400, "the registration failed", refusal.name};
  }
}

// Only a pre-authentication knows the parameter "resources".
std::span<const std::string_view> unsigned_fields(HttpService service) {
  static constexpr std::string_view kNames[] = {"version", "signmethod", "resources"};
  return std::span(kNames).first(service == HttpService::kLogin ? 2 : 3);
}

tl::expected<HttpSignIn, HttpRefusal> begin_http_sign_in(HttpService service, const HttpFields& fields,
                                                         base::WallMs now_ms) {
  const bool login = service == HttpService::kLogin;
  auto device = device_of(fields);
  if (!device || field(fields, "clientId").empty() || field(fields, "sign").empty()) {
    return tl::unexpected(malformed(service));
  }
  const auto found = fields.find("signmethod");
  const auto method = crypto::parse_hmac_method(found == fields.end() ? "hmacmd5" : std::string_view(found->second));
  if (!method) return tl::unexpected(malformed(service));
  if (const auto timestamp = fields.find("timestamp"); login && timestamp != fields.end()) {
    const auto fresh = is_fresh(timestamp->second, now_ms);
    if (!fresh) return tl::unexpected(malformed(service));
    if (!*fresh) {
      return tl::unexpected(HttpRefusal{kPublishAuthentication,
                                        "the timestamp is more than 15 minutes off the server's clock",
                                        "http-timestamp", true});
    }
  }
  HttpSignIn sign_in;
  sign_in.device = std::move(*device);
  sign_in.method = *method;
  sign_in.content = signed_content(fields, unsigned_fields(service));
  sign_in.mac = decode_mac(field(fields, "sign"), *method);
  return sign_in;
}

std::optional<HttpRefusal> finish_http_sign_in(HttpService service, const HttpSignIn& sign_in,
                                               const CredentialRecord* record) {
  const bool login = service == HttpService::kLogin;
  const bool has_secret = record != nullptr && !record->device_secret.empty();
  const std::string_view secret = has_secret ? std::string_view(record->device_secret) : kNobodysSecret;
  const crypto::Mac expected = crypto::hmac(sign_in.method, secret, {sign_in.content});
  const bool fits = crypto::constant_time_equal(expected.view(), sign_in.mac.view());
  if (record == nullptr) {
    return HttpRefusal{login ? kPublishAuthentication : 5001, "there is no such device", "unknown-device", true};
  }
  if (record->kind != CredentialRecord::Kind::kSecret || !has_secret) {
    return HttpRefusal{login ? kPublishAuthentication : 6200, "the device does not sign in with a secret",
                       record->kind == CredentialRecord::Kind::kSecret ? "no-secret" : "certificate-required", true};
  }
  if (!fits) {
    return HttpRefusal{login ? kPublishAuthentication : 401, "the signature is wrong", "wrong-signature", true};
  }
  if (record->disabled) {
    return HttpRefusal{login ? kPublishAuthentication : 6204, "the device is disabled", "device-disabled", true};
  }
  return std::nullopt;
}

std::optional<HttpRefusal> check_publish_token(const TokenClaim& claim, std::string_view key,
                                               const CredentialRecord* record, base::WallMs now_ms) {
  const bool exists = record != nullptr;
  const TokenOwner owner{claim.device, exists ? std::string_view(record->device_secret) : kNobodysSecret,
                         exists ? record->life : 0, exists ? record->token_generation : 0};
  const TokenVerdict verdict = check_token(key, TokenUse::kHttp, claim, owner, now_ms);
  if (!exists || verdict == TokenVerdict::kForged) return token_unknown();
  if (record->kind == CredentialRecord::Kind::kX509) return token_unknown();  // since the token was issued
  if (verdict == TokenVerdict::kExpired) return token_expired();
  if (record->disabled) {
    return HttpRefusal{kPublishAuthentication, "the device is disabled", "device-disabled", true};
  }
  return std::nullopt;
}

}  // namespace mooring::auth
