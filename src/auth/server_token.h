// Tokens that the server signs for a device: the iotToken of a pre-authentication, and the token of an HTTPS publish
// login (connection.md sections 11 and 12). Nothing is stored: a token names its device and its end and is bound to
// what the registry knows of the device, so it survives a restart of the server and is void once the device is deleted,
// disabled or has another secret. A part of it, its seal, tells without the registry whether this server issued it at
// all.
//
// I/O-free, reads no clock, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/ids.h"
#include "crypto/hmac.h"

namespace mooring::auth {

enum class TokenUse : std::uint8_t { kMqtt, kHttp };  // one is not accepted as the other

inline constexpr base::WallMs kTokenLifeMs = std::int64_t{7} * 24 * 3600 * 1000;
inline constexpr std::size_t kTokenBytesMax = 192;  // buffers of the C SDK
inline constexpr std::size_t kTokenKeyBytesMin = 32;

// What a token is bound to.
struct TokenOwner {
  base::DeviceKeyView device;
  std::string_view device_secret;
  std::uint32_t life = 0;
  std::uint32_t generation = 0;
};

// A credential; do not log it. `key`: the server's own, at least kTokenKeyBytesMin random bytes.
std::string issue_token(std::string_view key, TokenUse use, const TokenOwner& owner, base::WallMs now_ms);

// A token as it came, borrowed from its text. What it says is not proven yet.
struct TokenClaim {
  base::DeviceKeyView device{{}, {}};
  base::WallMs expires_ms = 0;
  crypto::Mac mac;
};
std::optional<TokenClaim> parse_token(std::string_view text);

// Whether this server issued it, to whom and until when it says; not whether it is still good. Asks nobody: for what
// has to be known before anything is looked up.
bool is_sealed(std::string_view key, TokenUse use, const TokenClaim& claim);

enum class TokenVerdict : std::uint8_t { kValid, kForged, kExpired };
TokenVerdict check_token(std::string_view key, TokenUse use, const TokenClaim& claim, const TokenOwner& owner,
                         base::WallMs now_ms);

// Whether a password is a token of this platform or of the one the device comes from: "^1^<digits>^...".
bool looks_like_token(std::string_view password);

}  // namespace mooring::auth
