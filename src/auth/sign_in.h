// The decision whether a CONNECT signs a device in: connection.md section 4.5, in exactly its order.
//
// Two steps, because the registry answers later:
//   auto pending = begin(attempt, policy);              // rows 2 to 8; nothing borrowed from the attempt remains
//   if (pending->registration) ...                      // row 6: auth/registration.h goes on
//   ... look up pending->device in the registry ...
//   auto signed_in = finish(*pending, policy, record);  // rows 9 to 12; record = nullptr: no such device
// A look-up that failed (row 13) is answered with Refusal::of(RefusalReason::kUnavailable). Row 1 (malformed packets,
// protocol name) belongs to the MQTT codec.
//
// I/O-free, reads no clock, any thread. An unknown device, one without secret and a wrong signature cost the same work,
// so the time of the answer does not tell which devices exist.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "auth/client_id.h"
#include "auth/registration.h"
#include "auth/server_token.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/ids.h"
#include "crypto/hmac.h"

namespace mooring::auth {

struct PresentedCertificate;  // auth/certificate_sign_in.h

// A CONNECT as it came, borrowed for the call of begin().
struct ConnectAttempt {
  std::uint8_t protocol_level = 4;  // 3, 4 or 5; any other is refused
  std::string_view client_id;
  std::optional<std::string_view> user_name;  // nothing when the flag is not set
  std::optional<base::ByteView> password;     // nothing when the flag is not set
  std::uint16_t keep_alive_s = 0;
  bool clean_session = false;
  bool tls = false;  // the transport as the server sees it
  bool websocket = false;
  std::string_view peer_address;
  const PresentedCertificate* certificate = nullptr;  // of the client, in TLS
  std::string_view psk_identity;                      // of TLS-PSK (auth/psk_identity.h); empty: none
  base::WallMs now_ms = 0;                            // for tokens that end
  bool rate_limited = false;                          // row 3, asked of auth/connect_limiter.h by the caller
};

enum class KeepAliveOverMax { kReject, kClamp };

struct SignInPolicy {
  bool strict_secure_mode = false;
  std::uint16_t keep_alive_min_s = 30;  // 0 admits "no keep alive"
  std::uint16_t keep_alive_max_s = 1200;
  KeepAliveOverMax keep_alive_over_max = KeepAliveOverMax::kReject;
  bool registration_needs_tls = true;  // false: TLS ends in front of the server
  std::string token_key;               // of server_token.h; empty: no iotToken is valid
};

// A clientId and the hash of its token (crypto/secret_hash.h), of a device that lives by tokens.
struct TokenRecord {
  std::string client_id;
  std::string token_hash;
  bool used = false;  // signed in before
};

// What the registry knows of a device, filled in by its cache.
struct CredentialRecord {
  enum class Kind : std::uint8_t { kSecret, kX509 };
  std::string device_secret;  // empty: none issued yet
  std::string iot_id{};
  std::vector<TokenRecord> tokens{};   // of authType=connwl
  std::uint32_t life = 0;              // as registry::DeviceCredential has it
  std::uint32_t token_generation = 0;  // likewise
  Kind kind = Kind::kSecret;
  bool disabled = false;
};

enum class RefusalReason : std::uint8_t {
  kProtocolVersion,
  kRateLimited,
  kCredentialsMissing,
  kUserNameForm,
  kUnknownUser,    // a user name without '&' that is neither an account nor a known iotId
  kWrongPassword,  // of an account
  kTicketForm,     // a ticket's user name without its id, or no password
  kTicketUnknown,
  kTicketSecret,
  kTicketExpired,
  kTicketRevoked,
  kTicketNotFromPage,  // bound to origins, and there was none
  kTicketOrigin,
  kTicketClientId,
  kTicketHolder,             // its device is disabled, or its account is gone
  kClientIdMissing,          // an account's client that wants to find its session again
  kAnonymousAccountMissing,  // the listener names an account that does not exist
  kClientIdTooLong,
  kClientIdParameter,  // a key without '='
  kSecureModeUnknown,
  kSignMethodUnknown,
  kAuthTypeUnknown,
  kRegistrationNeedsTls,
  kRegistrationWithoutRandom,
  kRegistrationUnknownProduct,
  kRegistrationSignature,
  kRegistrationOff,
  kRegistrationNotPreregistered,
  kRegistrationActivated,
  kRegistrationDisabledDevice,
  kRegistrationName,
  kRegistrationProductFull,
  kRegistrationTokensFull,
  kBaseClientId,
  kKeepAliveTooShort,
  kKeepAliveTooLong,
  kId2Unavailable,
  kWrongToken,           // authType=connwl: clientId and token are no pair of this device
  kWrongIotToken,        // wrong, expired, or not of this iotId
  kCertificateMissing,   // empty password or user name '&' without a client certificate
  kCertificateRequired,  // a signature where the product admits certificates only
  kCertificateUntrusted,
  kCertificateNotYetValid,
  kCertificateExpired,
  kCertificateRevoked,
  kCertificateUnbound,
  kCertificateOfOtherDevice,
  kUnknownDevice,
  kNoSecret,
  kWrongSignature,
  kOtherPskIdentity,    // of TLS-PSK
  kSecureModeMismatch,  // strict mode only
  kDeviceDisabled,
  kUnavailable,
};

// Answer to a refused CONNECT. Afterwards the connection is closed.
struct Refusal {
  RefusalReason reason;
  std::uint8_t connack_v3;  // MQTT 3.1 and 3.1.1 return code
  std::uint8_t reason_v5;   // MQTT 5 reason code
  std::string_view name;    // "wrong-signature": stable, for metrics
  std::string_view text;    // one sentence for the log; static, without secrets and without text of the peer

  static Refusal of(RefusalReason reason);
  // Whether it counts against the address (auth/connect_limiter.h): what a client's mistake or guess causes, not what
  // the server's own state does.
  bool counts_against_address() const;
};

// What a sign-in proves itself with.
enum class Proof : std::uint8_t {
  kSignature,
  kDeviceToken,  // authType=connwl
  kIotToken,     // of a pre-authentication
};

// Between the two steps. Owns everything; holds the code the client sent, so it is not for the log.
struct PendingSignIn {
  base::DeviceKey device;  // to look up
  // Proven by a client certificate; check_certificate() of auth/certificate_sign_in.h comes before finish().
  bool by_certificate = false;
  bool identifies = false;  // user name '&': the certificate tells which device it is
  bool certificate_checked = false;
  std::uint8_t protocol_level = 4;
  bool clean_session = false;
  std::string base_client_id;  // empty: MQTT 5, the server assigns one
  std::optional<std::string> timestamp;
  crypto::HmacMethod method = crypto::HmacMethod::kMd5;
  crypto::Mac mac;                 // decoded password; size 0 when it is not hexadecimal of the right length
  std::uint16_t keep_alive_s = 0;  // effective
  bool keep_alive_clamped = false;
  std::uint32_t ext_bits = 0;
  bool auto_subscribe = false;
  bool secure_mode_mismatch = false;
  DeviceFacts facts;
  Proof proof = Proof::kSignature;
  std::string token;        // kDeviceToken: its hash; kIotToken: as it came
  std::string iot_id;       // kIotToken: the user name
  base::WallMs now_ms = 0;  // kIotToken
  // Row 6: this is no sign-in at all. Nothing else is filled but `device`, and finish() is not for it.
  std::optional<RegistrationRequest> registration;
};

// A device that is signed in.
struct SignedIn {
  base::DeviceKey device;
  std::string base_client_id;       // empty: assign one (MQTT 5)
  std::uint16_t keep_alive_s = 0;   // to use; 0 only when the policy admits it: no time limit
  bool keep_alive_clamped = false;  // MQTT 5: announce it as Server Keep Alive
  bool clean_session = false;
  bool identifies = false;            // it wants to know its names and nothing else (connection.md 11)
  std::uint32_t ext_bits = 0;         // kExtCustomRrpc, kExtNotify
  bool auto_subscribe = false;        // section 6.6
  bool secure_mode_mismatch = false;  // for a warning in the log: announced mode and transport differ
  DeviceFacts facts;
  std::string first_used_token;  // clientId of a token that signed in for the first time: to be recorded
};

tl::expected<PendingSignIn, Refusal> begin(const ConnectAttempt& attempt, const SignInPolicy& policy);
tl::expected<SignedIn, Refusal> finish(PendingSignIn&& pending, const SignInPolicy& policy,
                                       const CredentialRecord* record);

// A client that proved to be a device by TLS-PSK may sign in as that device only.
bool fits_psk_identity(const ConnectAttempt& attempt);

// The device a user name "dn&pk" names; nothing for every other form. For the rate limit of row 3 and for log lines of
// refused attempts. Borrows from the user name.
std::optional<base::DeviceKeyView> device_of_user_name(std::string_view user_name);
// The other way round: who a device is for the ConnectLimiter, however it names itself.
std::string user_name_of(const base::DeviceKeyView& device);
// As device_of_user_name(), for every device: one that signs in with an iotToken is named by that. Nothing is proven by
// it.
std::optional<base::DeviceKeyView> claimed_device(std::optional<std::string_view> user_name,
                                                  std::optional<base::ByteView> password);

}  // namespace mooring::auth
