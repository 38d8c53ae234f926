#include "auth/sign_in.h"

#include <algorithm>
#include <array>

#include "auth/psk_identity.h"
#include "auth/signature.h"
#include "base/assert.h"
#include "base/text.h"
#include "crypto/secret_hash.h"

namespace mooring::auth {
namespace {

using Outcome = tl::expected<PendingSignIn, Refusal>;

// Longer user names belong to no device; bounding them bounds the registry's keys. Twice the buffers of the SDKs.
constexpr std::size_t kMaxUserNameBytes = 128;

// Stands in for the secret of a device that does not exist. As long as a real one, so the work is the same.
constexpr std::string_view kNobodysSecret = "00000000000000000000000000000000";

// MQTT 5 reason codes beside the return codes of version 3 (connection.md section 4.5).
struct Codes {
  std::uint8_t v3;
  std::uint8_t v5;
};
constexpr Codes kBadVersion{1, 0x84};
constexpr Codes kBadClientId{2, 0x85};
constexpr Codes kBadKeepAlive{2, 0x80};
constexpr Codes kTooManyConnects{3, 0x9F};
constexpr Codes kServerUnavailable{3, 0x88};
constexpr Codes kBadCredentials{4, 0x86};
constexpr Codes kNotAuthorised{5, 0x87};

struct RefusalRow {
  RefusalReason reason;
  Codes codes;
  std::string_view name;
  std::string_view text;
};
constexpr RefusalRow kRefusals[] = {
    {RefusalReason::kProtocolVersion, kBadVersion, "protocol-version", "The MQTT version is not offered."},
    {RefusalReason::kRateLimited, kTooManyConnects, "rate-limited", "Too many connections in the last minute."},
    {RefusalReason::kCredentialsMissing, kBadCredentials, "credentials-missing", "User name or password is missing."},
    {RefusalReason::kUserNameForm, kBadCredentials, "user-name-form",
     "The user name is not of the form deviceName&productKey."},
    {RefusalReason::kUnknownUser, kBadCredentials, "unknown-user",
     "The user name holds no '&' and is neither an account nor a known iotId; devices sign in as "
     "deviceName&productKey."},
    {RefusalReason::kWrongPassword, kBadCredentials, "wrong-password", "The password is not the account's."},
    {RefusalReason::kTicketForm, kBadCredentials, "ticket-form",
     "The user name begins with 'ticket:', but what follows is no id of a ticket, or there is no password."},
    {RefusalReason::kTicketUnknown, kBadCredentials, "ticket-unknown",
     "There is no such ticket: it never was, or ended long ago, or its device or account was deleted."},
    {RefusalReason::kTicketSecret, kBadCredentials, "ticket-secret", "The password is not the ticket's."},
    {RefusalReason::kTicketExpired, kBadCredentials, "ticket-expired", "The ticket has expired."},
    {RefusalReason::kTicketRevoked, kBadCredentials, "ticket-revoked", "The ticket was revoked."},
    {RefusalReason::kTicketNotFromPage, kBadCredentials, "ticket-not-from-page",
     "The ticket is for pages of certain origins, and no browser sent an Origin over WebSocket."},
    {RefusalReason::kTicketOrigin, kBadCredentials, "ticket-origin", "The ticket is for pages of other origins."},
    {RefusalReason::kTicketClientId, kBadCredentials, "ticket-client-id",
     "The ticket is for another client identifier."},
    {RefusalReason::kTicketHolder, kBadCredentials, "ticket-holder",
     "The ticket's device or account is disabled or gone."},
    {RefusalReason::kClientIdMissing, kBadClientId, "client-id-missing",
     "An empty client identifier needs clean session 1 and MQTT 3.1.1."},
    {RefusalReason::kAnonymousAccountMissing, kNotAuthorised, "anonymous-account-missing",
     "The CONNECT has no user name, and the listener's anonymous_account does not exist."},
    {RefusalReason::kClientIdTooLong, kBadClientId, "client-id-too-long",
     "The client identifier has more than 1024 bytes."},
    {RefusalReason::kClientIdParameter, kBadClientId, "client-id-parameter",
     "A parameter of the client identifier has no value."},
    {RefusalReason::kSecureModeUnknown, kBadClientId, "securemode-unknown", "The value of securemode is unknown."},
    {RefusalReason::kSignMethodUnknown, kBadClientId, "signmethod-unknown",
     "The value of signmethod is none of hmacmd5, hmacsha1 and hmacsha256."},
    {RefusalReason::kAuthTypeUnknown, kBadClientId, "authtype-unknown", "The value of authType is unknown."},
    {RefusalReason::kRegistrationNeedsTls, kBadClientId, "registration-needs-tls",
     "Dynamic registration was tried without TLS."},
    {RefusalReason::kRegistrationWithoutRandom, kBadClientId, "registration-without-random",
     "Dynamic registration was tried without the parameter random."},
    {RefusalReason::kRegistrationUnknownProduct, kBadCredentials, "registration-unknown-product",
     "A device of a product that does not exist tried to register."},
    {RefusalReason::kRegistrationSignature, kBadCredentials, "registration-signature",
     "The signature of the registration does not fit the product's secret and the announced method."},
    {RefusalReason::kRegistrationOff, kBadCredentials, "registration-off",
     "The product's dynamic registration is switched off, or is on for names made beforehand only."},
    {RefusalReason::kRegistrationNotPreregistered, kBadCredentials, "registration-not-preregistered",
     "A device tried to register whose name was not made beforehand."},
    {RefusalReason::kRegistrationActivated, kBadCredentials, "registration-activated",
     "A device that was online already tried to register; reset it first (mooring device reset)."},
    {RefusalReason::kRegistrationDisabledDevice, kBadCredentials, "registration-disabled-device",
     "A disabled device tried to register."},
    {RefusalReason::kRegistrationName, kBadCredentials, "registration-name",
     "The name of a device that tried to register breaks the rules for names."},
    {RefusalReason::kRegistrationProductFull, kBadCredentials, "registration-product-full",
     "The product has as many devices as registration may make (limits.registered_devices_per_product)."},
    {RefusalReason::kRegistrationTokensFull, kBadCredentials, "registration-tokens-full",
     "All token pairs of the device name are in use; reset it first (mooring device reset)."},
    {RefusalReason::kBaseClientId, kBadClientId, "base-client-id",
     "The client identifier before the first pipe does not have 1 to 64 characters."},
    {RefusalReason::kKeepAliveTooShort, kBadKeepAlive, "keep-alive-too-short",
     "The keep alive is below the permitted range."},
    {RefusalReason::kKeepAliveTooLong, kBadKeepAlive, "keep-alive-too-long",
     "The keep alive is above the permitted range."},
    {RefusalReason::kId2Unavailable, kBadCredentials, "id2-unavailable",
     "ID2 sign-in needs the vendor's chip service and is not possible here."},
    {RefusalReason::kWrongToken, kBadCredentials, "wrong-token",
     "Client identifier and device token are no pair that was issued to the device."},
    {RefusalReason::kWrongIotToken, kServerUnavailable, "wrong-iot-token",
     "The iotToken is wrong, expired, or belongs to another iotId."},
    {RefusalReason::kCertificateMissing, kBadCredentials, "certificate-missing",
     "The device sent no signature and presented no client certificate bound to it."},
    {RefusalReason::kCertificateRequired, kBadCredentials, "certificate-required",
     "The product's devices sign in with a client certificate and an empty password."},
    {RefusalReason::kCertificateUntrusted, kBadCredentials, "certificate-untrusted",
     "The client certificate does not chain to an authority that is known here."},
    {RefusalReason::kCertificateNotYetValid, kBadCredentials, "certificate-not-yet-valid",
     "The client certificate, or one of its chain, is not valid yet."},
    {RefusalReason::kCertificateExpired, kBadCredentials, "certificate-expired",
     "The client certificate, or one of its chain, has expired."},
    {RefusalReason::kCertificateRevoked, kBadCredentials, "certificate-revoked",
     "The client certificate, or one of its chain, is revoked."},
    {RefusalReason::kCertificateUnbound, kBadCredentials, "certificate-unbound",
     "The client certificate is bound to no device, and no product's rule for the first use applies."},
    {RefusalReason::kCertificateOfOtherDevice, kBadCredentials, "certificate-of-other-device",
     "The client certificate is bound to another device."},
    {RefusalReason::kUnknownDevice, kBadCredentials, "unknown-device", "There is no such product or device."},
    {RefusalReason::kNoSecret, kBadCredentials, "no-secret", "No secret was issued to the device yet."},
    {RefusalReason::kWrongSignature, kBadCredentials, "wrong-signature",
     "The signature does not fit the device's secret and the announced method."},
    {RefusalReason::kOtherPskIdentity, kBadCredentials, "other-psk-identity",
     "The TLS-PSK identity of the connection is that of another device."},
    {RefusalReason::kSecureModeMismatch, kNotAuthorised, "securemode-mismatch",
     "The announced securemode does not fit the transport."},
    {RefusalReason::kDeviceDisabled, kNotAuthorised, "device-disabled", "The device is disabled."},
    {RefusalReason::kUnavailable, kServerUnavailable, "unavailable", "The server cannot look up devices right now."},
};

tl::unexpected<Refusal> refuse(RefusalReason reason) {
  return tl::unexpected(Refusal::of(reason));
}

enum class AuthType { kSecret, kRegister, kRegisterUnknown, kToken, kId2 };

std::optional<AuthType> parse_auth_type(std::optional<std::string_view> value) {
  if (!value || base::iequals(*value, "custom-ilop")) return AuthType::kSecret;
  if (base::iequals(*value, "register")) return AuthType::kRegister;
  if (base::iequals(*value, "regnwl")) return AuthType::kRegisterUnknown;
  if (base::iequals(*value, "connwl")) return AuthType::kToken;
  if (base::iequals(*value, "id2")) return AuthType::kId2;
  return std::nullopt;
}

// Section 3. The transport is what the mode announces.
struct SecureMode {
  bool id2 = false;
  std::optional<bool> announces_tls;
};

std::optional<SecureMode> parse_secure_mode(std::optional<std::string_view> value) {
  struct Row {
    std::string_view value;
    SecureMode mode;
  };
  static constexpr Row kModes[] = {
      {"2", {false, true}},        {"3", {false, false}},       {"-2", {false, true}},
      {"-1", {false, true}},       {"0", {false, false}},       {"8", {true, std::nullopt}},
      {"1", {true, std::nullopt}}, {"4", {true, std::nullopt}}, {"5", {true, std::nullopt}},
      {"7", {true, std::nullopt}},
  };
  if (!value) return SecureMode{};
  for (const Row& row : kModes) {
    if (row.value == *value) return row.mode;
  }
  return std::nullopt;
}

// Row 4.
std::optional<RefusalReason> check_user_name(const ConnectAttempt& attempt) {
  if (!attempt.user_name || !attempt.password) return RefusalReason::kCredentialsMissing;
  const std::string_view name = *attempt.user_name;
  if (name == "&") {  // X.509: the certificate says who it is
    if (!attempt.password->empty()) return RefusalReason::kUserNameForm;
    return attempt.certificate != nullptr ? std::nullopt : std::optional(RefusalReason::kCertificateMissing);
  }
  if (name.find('&') == std::string_view::npos) {
    const std::string_view password = base::as_text(*attempt.password);
    if (!looks_like_token(password)) return RefusalReason::kUnknownUser;
    return parse_token(password) ? std::nullopt : std::optional(RefusalReason::kWrongIotToken);
  }
  if (!device_of_user_name(name)) return RefusalReason::kUserNameForm;
  return std::nullopt;
}

RefusalReason reason_of(ClientIdError error) {
  return error == ClientIdError::kTooLong ? RefusalReason::kClientIdTooLong : RefusalReason::kClientIdParameter;
}

// Row 6, section 10.
Outcome begin_registration(const ConnectAttempt& attempt, const SignInPolicy& policy, const ClientId& id,
                           crypto::HmacMethod method, bool with_token) {
  if (!attempt.tls && policy.registration_needs_tls) return refuse(RefusalReason::kRegistrationNeedsTls);
  if (!id.random || id.random->empty() || id.random->size() > kRandomBytesMax) {
    return refuse(RefusalReason::kRegistrationWithoutRandom);
  }
  PendingSignIn pending;
  const auto device = claimed_device(attempt.user_name, attempt.password);
  pending.device = {std::string(device->product_key), std::string(device->device_name)};
  pending.registration = RegistrationRequest{pending.device, with_token, std::string(*id.random), method,
                                             decode_mac(base::as_text(*attempt.password), method)};
  return pending;
}

// Row 8. Sets the keep alive to use.
std::optional<RefusalReason> check_keep_alive(PendingSignIn& pending, std::uint16_t wanted_s,
                                              const SignInPolicy& policy) {
  if (wanted_s < policy.keep_alive_min_s) return RefusalReason::kKeepAliveTooShort;
  pending.keep_alive_s = std::min(wanted_s, policy.keep_alive_max_s);
  pending.keep_alive_clamped = wanted_s > policy.keep_alive_max_s;
  if (pending.keep_alive_clamped && policy.keep_alive_over_max == KeepAliveOverMax::kReject) {
    return RefusalReason::kKeepAliveTooLong;
  }
  return std::nullopt;
}

PendingSignIn make_pending(const ConnectAttempt& attempt, const ClientId& id, crypto::HmacMethod method) {
  const auto device = claimed_device(attempt.user_name, attempt.password);
  PendingSignIn pending;
  pending.by_certificate = attempt.password->empty() && attempt.certificate != nullptr;
  pending.identifies = !device;
  if (device) pending.device = {std::string(device->product_key), std::string(device->device_name)};
  pending.protocol_level = attempt.protocol_level;
  pending.clean_session = attempt.clean_session;
  pending.base_client_id = id.base;
  if (id.timestamp) pending.timestamp = std::string(*id.timestamp);
  pending.method = method;
  pending.mac = decode_mac(base::as_text(*attempt.password), method);
  pending.ext_bits = id.ext_bits;
  pending.auto_subscribe = id.auto_subscribe;
  pending.facts = id.facts();
  return pending;
}

// What the sign-in proves itself with, if that is no signature.
void take_token(PendingSignIn& pending, const ConnectAttempt& attempt, bool device_token) {
  const std::string_view password = base::as_text(*attempt.password);
  if (attempt.user_name->find('&') == std::string_view::npos) {
    pending.proof = Proof::kIotToken;
    pending.iot_id = std::string(*attempt.user_name);
    pending.token = std::string(password);
    pending.now_ms = attempt.now_ms;
  } else if (device_token) {
    pending.proof = Proof::kDeviceToken;
    pending.token = crypto::token_hash(password);
  }
}

// The part of row 9 that needs no registry: sign-ins of a kind that cannot be verified.
std::optional<RefusalReason> check_credential_kind(AuthType type, const SecureMode& mode, std::string_view password,
                                                   bool has_certificate) {
  if (type == AuthType::kId2 || mode.id2) return RefusalReason::kId2Unavailable;
  if (password.empty() && !has_certificate) return RefusalReason::kCertificateMissing;
  return std::nullopt;
}

// Rows 5 to 8.
Outcome begin_device(const ConnectAttempt& attempt, const SignInPolicy& policy) {
  const auto id = parse_client_id(attempt.client_id);
  if (!id) return refuse(reason_of(id.error()));
  const auto mode = parse_secure_mode(id->secure_mode);
  if (!mode) return refuse(RefusalReason::kSecureModeUnknown);
  const auto method = crypto::parse_hmac_method(id->sign_method.value_or("hmacmd5"));
  if (!method) return refuse(RefusalReason::kSignMethodUnknown);
  auto type = parse_auth_type(id->auth_type);
  if (!type) return refuse(RefusalReason::kAuthTypeUnknown);
  // Who asks the certificate who it is asks for nothing else.
  if (*attempt.user_name == "&" && *type != AuthType::kSecret) return refuse(RefusalReason::kUserNameForm);
  const std::string_view password = base::as_text(*attempt.password);
  // One vendor text misprints connwl as regnwl (section 17 row 24).
  if (type == AuthType::kRegisterUnknown && !id->random && looks_like_token(password)) type = AuthType::kToken;
  if (type == AuthType::kRegister || type == AuthType::kRegisterUnknown) {
    return begin_registration(attempt, policy, *id, *method, type == AuthType::kRegisterUnknown);
  }
  const bool by_certificate = password.empty() && attempt.certificate != nullptr;
  if (!is_valid_base_client_id(id->base, attempt.protocol_level == 5 || by_certificate)) {
    return refuse(RefusalReason::kBaseClientId);
  }
  PendingSignIn pending = make_pending(attempt, *id, *method);
  if (const auto reason = check_keep_alive(pending, attempt.keep_alive_s, policy)) return refuse(*reason);
  if (const auto reason = check_credential_kind(*type, *mode, password, attempt.certificate != nullptr)) {
    return refuse(*reason);
  }
  if (!fits_psk_identity(attempt)) return refuse(RefusalReason::kOtherPskIdentity);
  take_token(pending, attempt, *type == AuthType::kToken);
  pending.secure_mode_mismatch = mode->announces_tls && *mode->announces_tls != attempt.tls;
  return pending;
}

// Row 10.
std::optional<RefusalReason> check_iot_token(const PendingSignIn& pending, const SignInPolicy& policy,
                                             const CredentialRecord* record) {
  const bool exists = record != nullptr;
  const TokenOwner owner{pending.device, exists ? std::string_view(record->device_secret) : kNobodysSecret,
                         exists ? record->life : 0, exists ? record->token_generation : 0};
  const auto claim = parse_token(pending.token);
  const bool valid =
      claim && check_token(policy.token_key, TokenUse::kMqtt, *claim, owner, pending.now_ms) == TokenVerdict::kValid;
  return exists && valid && record->iot_id == pending.iot_id ? std::nullopt
                                                             : std::optional(RefusalReason::kWrongIotToken);
}

// The pair that was presented; null: none. Compares with every pair in the same time.
const TokenRecord* find_token(const PendingSignIn& pending, const CredentialRecord& record) {
  const TokenRecord* found = nullptr;
  for (const TokenRecord& token : record.tokens) {
    const bool fits = crypto::constant_time_equal(base::as_bytes(token.token_hash), base::as_bytes(pending.token));
    if (fits && token.client_id == pending.base_client_id) found = &token;
  }
  return found;
}

// Row 9. The code is computed in every case, so that a wrong secret and a missing device take the same time.
std::optional<RefusalReason> check_signature(const PendingSignIn& pending, const CredentialRecord* record) {
  const bool has_secret = record != nullptr && !record->device_secret.empty();
  const std::string_view secret = has_secret ? std::string_view(record->device_secret) : kNobodysSecret;
  std::optional<std::string_view> timestamp;
  if (pending.timestamp) timestamp = *pending.timestamp;
  const crypto::Mac expected =
      sign_connect(pending.method, secret, {pending.base_client_id, pending.device, timestamp});
  const bool fits = crypto::constant_time_equal(expected.view(), pending.mac.view());
  if (record == nullptr) return RefusalReason::kUnknownDevice;
  if (record->kind == CredentialRecord::Kind::kX509) return RefusalReason::kCertificateRequired;
  if (!has_secret) return RefusalReason::kNoSecret;
  if (!fits) return RefusalReason::kWrongSignature;
  return std::nullopt;
}

std::optional<RefusalReason> check_credential(const PendingSignIn& pending, const SignInPolicy& policy,
                                              const CredentialRecord* record) {
  if (pending.by_certificate) {
    MOORING_ASSERT(pending.certificate_checked);
    return record == nullptr ? std::optional(RefusalReason::kUnknownDevice) : std::nullopt;
  }
  const bool only_certificates = record != nullptr && record->kind == CredentialRecord::Kind::kX509;
  switch (pending.proof) {
    case Proof::kSignature:
      break;
    case Proof::kIotToken:
      if (only_certificates) return RefusalReason::kWrongIotToken;
      return check_iot_token(pending, policy, record);
    case Proof::kDeviceToken:
      if (record == nullptr) return RefusalReason::kUnknownDevice;
      if (only_certificates) return RefusalReason::kCertificateRequired;
      return find_token(pending, *record) == nullptr ? std::optional(RefusalReason::kWrongToken) : std::nullopt;
  }
  return check_signature(pending, record);
}

// Rows 11 and 12.
std::optional<RefusalReason> check_admission(const PendingSignIn& pending, const SignInPolicy& policy,
                                             const CredentialRecord& record) {
  if (policy.strict_secure_mode && pending.secure_mode_mismatch) return RefusalReason::kSecureModeMismatch;
  if (record.disabled) return RefusalReason::kDeviceDisabled;
  return std::nullopt;
}

}  // namespace

Refusal Refusal::of(RefusalReason reason) {
  for (const RefusalRow& row : kRefusals) {
    if (row.reason == reason) return {reason, row.codes.v3, row.codes.v5, row.name, row.text};
  }
  base::assertion_failed("every RefusalReason has a row", __FILE__, __LINE__);
}

bool Refusal::counts_against_address() const {
  // Whoever has the secret does not guess: a page with an old ticket must not lock out its whole office.
  if (reason >= RefusalReason::kTicketExpired && reason <= RefusalReason::kTicketHolder) return false;
  return reason != RefusalReason::kRateLimited && reason != RefusalReason::kUnavailable &&
         reason != RefusalReason::kAnonymousAccountMissing;
}

std::optional<base::DeviceKeyView> device_of_user_name(std::string_view user_name) {
  const std::size_t split = user_name.find('&');
  if (user_name.size() > kMaxUserNameBytes || split == std::string_view::npos) return std::nullopt;
  const std::string_view device_name = user_name.substr(0, split);
  const std::string_view product_key = user_name.substr(split + 1);
  if (device_name.empty() || product_key.empty() || product_key.find('&') != std::string_view::npos) {
    return std::nullopt;
  }
  return base::DeviceKeyView(product_key, device_name);
}

std::string user_name_of(const base::DeviceKeyView& device) {
  return std::string(device.device_name).append(1, '&').append(device.product_key);
}

std::optional<base::DeviceKeyView> claimed_device(std::optional<std::string_view> user_name,
                                                  std::optional<base::ByteView> password) {
  if (!user_name) return std::nullopt;
  if (user_name->find('&') != std::string_view::npos) return device_of_user_name(*user_name);
  const auto claim = password ? parse_token(base::as_text(*password)) : std::nullopt;
  return claim ? std::optional(claim->device) : std::nullopt;
}

bool fits_psk_identity(const ConnectAttempt& attempt) {
  if (attempt.psk_identity.empty()) return true;
  const auto identity = parse_psk_identity(attempt.psk_identity);
  const auto device = claimed_device(attempt.user_name, attempt.password);
  return identity && device && identity->device == *device;
}

tl::expected<PendingSignIn, Refusal> begin(const ConnectAttempt& attempt, const SignInPolicy& policy) {
  const std::uint8_t level = attempt.protocol_level;
  if (level < 3 || level > 5) return refuse(RefusalReason::kProtocolVersion);
  if (attempt.rate_limited) return refuse(RefusalReason::kRateLimited);
  if (const auto reason = check_user_name(attempt)) return refuse(*reason);
  return begin_device(attempt, policy);
}

tl::expected<SignedIn, Refusal> finish(PendingSignIn&& pending, const SignInPolicy& policy,
                                       const CredentialRecord* record) {
  if (const auto reason = check_credential(pending, policy, record)) return refuse(*reason);
  if (const auto reason = check_admission(pending, policy, *record)) return refuse(*reason);
  SignedIn signed_in;
  if (pending.proof == Proof::kDeviceToken && !find_token(pending, *record)->used) {
    signed_in.first_used_token = pending.base_client_id;
  }
  signed_in.device = std::move(pending.device);
  signed_in.base_client_id = std::move(pending.base_client_id);
  signed_in.keep_alive_s = pending.keep_alive_s;
  signed_in.keep_alive_clamped = pending.keep_alive_clamped;
  signed_in.clean_session = pending.clean_session;
  signed_in.identifies = pending.identifies;
  signed_in.ext_bits = pending.ext_bits;
  signed_in.auto_subscribe = pending.auto_subscribe;
  signed_in.secure_mode_mismatch = pending.secure_mode_mismatch;
  signed_in.facts = std::move(pending.facts);
  return signed_in;
}

}  // namespace mooring::auth
