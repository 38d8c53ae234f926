// DeviceSignIn: the keys of TLS-PSK.
#include <utility>

#include "auth/psk_identity.h"
#include "base/log.h"
#include "base/text.h"
#include "gateway/device_sign_in.h"

namespace mooring::gateway {
namespace {

// Computed in every case, so that its time tells nothing. Empty: the handshake goes on with a key that nobody has.
std::string key_of(const auth::PskIdentity& identity, const CachedCredential& credential, std::string_view text,
                   const std::string& address) {
  const bool has_secret = credential.exists && !credential.record.device_secret.empty();
  std::string key = auth::psk_key(identity, has_secret ? std::string_view(credential.record.device_secret)
                                                       : std::string_view("00000000000000000000000000000000"));
  if (has_secret) return key;
  base::log_info("gateway", "{}: TLS-PSK: identity '{}': {}", address, base::printable(text, 128),
                 credential.exists ? "no secret was issued to the device" : "there is no such product or device");
  return {};
}

}  // namespace

void DeviceSignIn::psk_refused(std::string_view text, std::string_view address) {
  const auto identity = auth::parse_psk_identity(text);
  count_refused(address, identity ? auth::user_name_of(identity->device) : std::string());
}

void DeviceSignIn::find_psk_key(std::string_view text, const std::string& address, PskFound found) {
  const auto identity = auth::parse_psk_identity(text);
  if (!identity || limiter_.turned_away(address, auth::user_name_of(identity->device), clock_.mono_ms())) {
    base::log_info("gateway", "{}: TLS-PSK: {} '{}'", address,
                   identity ? "too many refused sign-ins; identity" : "not an identity of the platform:",
                   base::printable(text, 128));
    found({});
    return;
  }
  if (const CachedCredential* cached = cache_.find(identity->device)) {
    found(key_of(*identity, *cached, text, address));
    return;
  }
  base::DeviceKey device{std::string(identity->device.product_key), std::string(identity->device.device_name)};
  registry_.find_credential(
      device, executor_,
      [this, device, text = std::string(text), address, generation = cache_.generation(),
       found = std::move(found)](base::Result<registry::Credential> answer) mutable {
        if (!answer) {
          base::log_error("gateway", "the registry did not answer a TLS-PSK handshake: {}", answer.error().message);
          found({});
          return;
        }
        const CachedCredential* known = cache_.put(device, *answer, generation);
        found(known == nullptr ? std::string() : key_of(*auth::parse_psk_identity(text), *known, text, address));
      });
}

}  // namespace mooring::gateway
