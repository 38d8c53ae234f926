// DeviceSignIn: the keys of TLS-PSK.
#include "gateway/psk_lookup.h"

#include <utility>

#include "auth/psk_identity.h"
#include "base/log.h"
#include "base/text.h"
#include "gateway/device_sign_in.h"

namespace mooring::gateway {
namespace {

constexpr std::size_t kClaimedBytes = 128;  // of an identity that names nobody, in the log

struct Words {
  std::uint16_t code;
  std::string_view name;
  std::string_view reason;
};

Words words_of(PskVerdict verdict) {
  switch (verdict) {
    case PskVerdict::kKey:
      return {journal::kCodeBadSignature, "psk-wrong-key",
              "The key of the TLS-PSK handshake is not that of its identity."};
    case PskVerdict::kIdentityForm:
      return {journal::kCodeBadParameter, "psk-identity-form", "The TLS-PSK identity is not one of the platform."};
    case PskVerdict::kUnknownDevice:
      return {journal::kCodeDeviceUnknown, "psk-unknown-device",
              "The TLS-PSK identity names a product or device that does not exist."};
    case PskVerdict::kNoSecret:
      return {journal::kCodeBadSignature, "psk-no-secret", "No secret was issued to the device, so it has no key."};
    case PskVerdict::kTurnedAway:
      return {journal::kCodeThrottled, "rate-limited", "Too many connections in the last minute."};
    case PskVerdict::kUnavailable:
      return {journal::kCodeInternal, "unavailable", "The server cannot answer right now."};
    case PskVerdict::kBrokenOff:
      break;
  }
  return {journal::kCodeBadParameter, "psk-broken-off", "The client left in the middle of the TLS-PSK handshake."};
}

// Computed in every case, and nothing is told here, so that the time before the alert tells nothing.
PskKey key_of(const auth::PskIdentity& identity, const CachedCredential& credential) {
  const bool has_secret = credential.exists && !credential.record.device_secret.empty();
  PskKey found;
  found.key = auth::psk_key(identity, has_secret ? std::string_view(credential.record.device_secret)
                                                 : std::string_view("00000000000000000000000000000000"));
  found.verdict = has_secret          ? PskVerdict::kKey
                  : credential.exists ? PskVerdict::kNoSecret
                                      : PskVerdict::kUnknownDevice;
  if (!has_secret) found.key.clear();
  return found;
}

}  // namespace

journal::Event psk_refusal(std::string_view identity, PskVerdict verdict, std::string address) {
  const Words words = words_of(verdict);
  journal::Event event;
  event.action = journal::Action::kRefused;
  event.code = words.code;
  event.name = words.name;
  event.reason = words.reason;
  event.channel = journal::Channel::kTls;
  event.address = std::move(address);
  event.known = false;
  if (const auto device = auth::device_of_psk_identity(identity)) {
    event.device = {std::string(device->product_key), std::string(device->device_name)};
  } else {
    event.device.device_name = base::printable(identity, kClaimedBytes);
  }
  if (verdict == PskVerdict::kTurnedAway || verdict == PskVerdict::kUnavailable) return event;
  event.attempt = std::make_unique<journal::SignInAttempt>();
  event.attempt->psk_identity = identity;
  event.attempt->tls = true;
  return event;
}

void DeviceSignIn::psk_refused(std::string_view text, std::string_view address) {
  const auto device = auth::device_of_psk_identity(text);
  count_refused(address, device ? auth::user_name_of(*device) : std::string());
}

void DeviceSignIn::find_psk_key(std::string_view text, const std::string& address, PskFound found) {
  const auto identity = auth::parse_psk_identity(text);
  if (!identity || limiter_.turned_away(address, auth::user_name_of(identity->device), clock_.mono_ms())) {
    found({identity ? PskVerdict::kTurnedAway : PskVerdict::kIdentityForm});
    return;
  }
  if (const CachedCredential* cached = cache_.find(identity->device)) {
    found(key_of(*identity, *cached));
    return;
  }
  base::DeviceKey device{std::string(identity->device.product_key), std::string(identity->device.device_name)};
  registry_.find_credential(
      device, executor_,
      [this, device, text = std::string(text), generation = cache_.generation(),
       found = std::move(found)](base::Result<registry::Credential> answer) mutable {
        if (!answer) {
          base::log_error("gateway", "the registry did not answer a TLS-PSK handshake: {}", answer.error().message);
          found({PskVerdict::kUnavailable});
          return;
        }
        const CachedCredential* known = cache_.put(device, *answer, generation);
        found(known == nullptr ? PskKey{PskVerdict::kUnavailable} : key_of(*auth::parse_psk_identity(text), *known));
      });
}

}  // namespace mooring::gateway
