// The decisions of the devices' HTTP interface: which fields are signed, which checks are made, which codes answer.
// Source: connection.md sections 9.3, 11 and 12.
//
// I/O-free, reads no clock, any thread. An unknown device and a wrong signature cost the same work.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "auth/registration.h"
#include "auth/sign_in.h"
#include "base/clock.h"

namespace mooring::auth {

// The fields of a request; of a repeated one the last.
using HttpFields = std::map<std::string, std::string, std::less<>>;

// What a request is answered with: the JSON member "code".
struct HttpRefusal {
  int code;
  std::string_view text;  // static, without text of the peer
  std::string_view name = {};  // stable, for the device log; the same as over MQTT where that has one
  bool counts_against_address = false;
};

enum class HttpService : std::uint8_t {
  kRegister,  // /auth/register/device
  kPreauth,   // /auth/devicename
  kLogin,     // /auth: for publishing
  kPublish,   // /topic/...
};

// In the words of each service.
HttpRefusal needs_tls(HttpService service);
HttpRefusal malformed(HttpService service);
HttpRefusal throttled(HttpService service);
HttpRefusal unavailable(HttpService service);

tl::expected<RegistrationRequest, HttpRefusal> begin_http_registration(const HttpFields& fields);
HttpRefusal registration_refusal(const Refusal& refusal);

// A signed request of kPreauth or kLogin.
struct HttpSignIn {
  base::DeviceKey device;
  crypto::HmacMethod method = crypto::HmacMethod::kMd5;
  std::string content;  // the signed text
  crypto::Mac mac;
};
inline constexpr base::WallMs kLoginWindowMs = std::int64_t{15} * 60 * 1000;
// The names of the fields that are not signed, beside the code itself.
std::span<const std::string_view> unsigned_fields(HttpService service);
tl::expected<HttpSignIn, HttpRefusal> begin_http_sign_in(HttpService service, const HttpFields& fields,
                                                         base::WallMs now_ms);
// `record` = nullptr: no such device.
std::optional<HttpRefusal> finish_http_sign_in(HttpService service, const HttpSignIn& sign_in,
                                               const CredentialRecord* record);

// The token of a publish. `record` as above, of the device that the token names.
std::optional<HttpRefusal> check_publish_token(const TokenClaim& claim, std::string_view key,
                                               const CredentialRecord* record, base::WallMs now_ms);
HttpRefusal token_missing();
HttpRefusal token_unknown();
HttpRefusal token_expired();
HttpRefusal publish_failed();

}  // namespace mooring::auth
