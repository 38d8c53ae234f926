// The client identifier's parameters, the keep alive, and what a right signature does not help against.
#include <fmt/format.h>

#include <array>

#include "auth/client_id.h"
#include "base/text.h"
#include "doctor/claims.h"

namespace mooring::doctor {
namespace {

std::string shown(std::string_view text) {
  return base::printable(text, 48);
}

Mistake unknown_method(std::string_view value) {
  constexpr std::array<std::string_view, 3> kMethods{"hmacmd5", "hmacsha1", "hmacsha256"};
  std::string plain;
  for (const char c : base::to_lower(value)) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) plain += c;
  }
  std::string_view meant;
  for (const std::string_view method : kMethods) {
    if (plain == method || "hmac" + plain == method) meant = method;
  }
  if (meant.empty()) {
    if (const auto near = base::nearest(plain, kMethods)) meant = *near;
  }
  std::string advice =
      meant.empty() ? std::string("Use hmacmd5, hmacsha1 or hmacsha256.") : fmt::format("Write signmethod={}.", meant);
  return {"signmethod-unknown", fmt::format("signmethod={} is no method that devices sign with.", shown(value)),
          advice};
}

}  // namespace

std::vector<Mistake> explain_client_id(const Case& patient) {
  const std::string_view whole = patient.attempt.client_id;
  const auto id = auth::parse_client_id(whole);
  if (!id && id.error() == auth::ClientIdError::kTooLong) {
    return {{"client-id-too-long", "The client identifier has more than 1024 bytes.", "Shorten it."}};
  }
  if (!id) {
    return {{"client-id-parameter", "A parameter of the client identifier has no '='.",
             "Write every parameter as key=value, with ',' between them and '|' around them all."}};
  }
  if (patient.refusal == "signmethod-unknown") return {unknown_method(id->sign_method.value_or(""))};
  if (patient.refusal == "securemode-unknown") {
    return {{"securemode-unknown", fmt::format("securemode={} is unknown.", shown(id->secure_mode.value_or(""))),
             fmt::format("Write securemode={} on this transport.", patient.attempt.tls ? 2 : 3)}};
  }
  if (patient.refusal == "authtype-unknown") {
    return {{"authtype-unknown", fmt::format("authType={} is unknown.", shown(id->auth_type.value_or(""))),
             "Leave authType out for a sign-in with a device secret; register, regnwl and connwl are for dynamic "
             "registration."}};
  }
  if (id->base.empty()) {
    return {{"client-id-empty", "The client identifier has nothing before its first '|'.",
             "Put a name of 1 to 64 characters there, for example productKey.deviceName."}};
  }
  return {{"client-id-length",
           fmt::format("The client identifier has {} characters before its first '|'; 64 are allowed.",
                       base::utf8_length(id->base)),
           "Shorten it, for example to productKey.deviceName."}};
}

std::vector<Mistake> explain_keep_alive(const Case& patient) {
  const unsigned wanted = patient.attempt.keep_alive_s;
  const unsigned low = patient.policy.keep_alive_min_s;
  const unsigned high = patient.policy.keep_alive_max_s;
  const std::string advice = fmt::format("Ask for {} to {} seconds; 300 or more is recommended.", low, high);
  if (wanted == 0) {
    return {{"keep-alive-zero", "The keep alive is 0, which switches it off.", advice}};
  }
  if (wanted < low) {
    return {{"keep-alive-too-short", fmt::format("The keep alive is {} s; at least {} s are allowed.", wanted, low),
             advice}};
  }
  const bool milliseconds = wanted % 1000 == 0 && wanted / 1000 >= low;
  return {{milliseconds ? "keep-alive-in-milliseconds" : "keep-alive-too-long",
           fmt::format("The keep alive is {} s; at most {} s are allowed{}.", wanted, high,
                       milliseconds ? ". It looks like milliseconds" : ""),
           advice + " The operator can admit longer ones: auth.keep_alive_over_max = \"clamp\"."}};
}

std::vector<Mistake> odd_secure_mode(const Case& patient) {
  const auto id = auth::parse_client_id(patient.attempt.client_id);
  if (!id || !id->secure_mode) return {};
  const std::string_view mode = *id->secure_mode;
  const bool says_tls = mode == "2" || mode == "-2" || mode == "-1";
  const bool says_plain = mode == "3" || mode == "0";
  if ((says_tls && patient.attempt.tls) || (says_plain && !patient.attempt.tls) || (!says_tls && !says_plain))
    return {};
  return {{"securemode-mismatch",
           fmt::format("securemode={} announces {}, but the connection is {}.", shown(mode),
                       says_tls ? "TLS" : "a plain connection", patient.attempt.tls ? "encrypted" : "plain"),
           fmt::format("Write securemode={} on this transport.", patient.attempt.tls ? 2 : 3)}};
}

std::vector<Mistake> explain_admission(const Case& patient) {
  if (patient.refusal == "device-disabled") {
    return {
        {"device-disabled", "The sign-in is right, but the device is disabled.", "Enable it: mooring device enable"}};
  }
  if (patient.refusal == "no-secret") {
    return {{"no-secret", "The device has no secret yet.",
             "Let it register dynamically, or give it one: mooring device update --device-secret"}};
  }
  if (patient.refusal == "certificate-missing") {
    return {{"certificate-missing", "The device sent no signature and presented no client certificate bound to it.",
             "Send the HMAC of the signed text as the password, or connect with the bound certificate."}};
  }
  return odd_secure_mode(patient);
}

}  // namespace mooring::doctor
