#include "auth/server_token.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace mooring::auth {
namespace {

// "^1^<end in ms>^<48 hexadecimal digits>^<product key>^<device name>": no name may contain '^'. The digits are the
// seal and what binds the token to the device as the registry knows it.
constexpr std::string_view kBegin = "^1^";
constexpr char kSeparator = '^';
constexpr std::size_t kSealBytes = 8;
constexpr std::size_t kMacBytes = kSealBytes + 16;
constexpr std::size_t kNumberBytesMax = 18;

// Up to the separator, which is taken too; nothing when there is none.
std::optional<std::string_view> take_field(std::string_view& text) {
  const std::size_t end = text.find(kSeparator);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view field = text.substr(0, end);
  text.remove_prefix(end + 1);
  return field;
}

std::optional<base::WallMs> parse_time(std::string_view text) {
  base::WallMs value = 0;
  if (text.empty() || text.size() > kNumberBytesMax) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

std::string_view word_of(TokenUse use) {
  return use == TokenUse::kMqtt ? "mqtt" : "http";
}

// Separated, so that no two sets of fields sign the same text.
crypto::Mac seal_of(std::string_view key, TokenUse use, const base::DeviceKeyView& device, std::string_view expires) {
  crypto::Mac seal =
      crypto::hmac(crypto::HmacMethod::kSha256, key,
                   {"seal^", word_of(use), "^", expires, "^", device.product_key, "^", device.device_name});
  seal.size_bytes = kSealBytes;
  return seal;
}

crypto::Mac mac_of(std::string_view key, TokenUse use, const TokenOwner& owner, std::string_view expires) {
  const std::string life = std::to_string(owner.life);
  const std::string generation = std::to_string(owner.generation);
  const crypto::Mac bound =
      crypto::hmac(crypto::HmacMethod::kSha256, key,
                   {word_of(use), "^", expires, "^", owner.device.product_key, "^", owner.device.device_name, "^", life,
                    "^", generation, "^", owner.device_secret});
  crypto::Mac mac = seal_of(key, use, owner.device, expires);
  std::copy_n(bound.bytes.begin(), kMacBytes - kSealBytes, mac.bytes.begin() + kSealBytes);
  mac.size_bytes = kMacBytes;
  return mac;
}

}  // namespace

std::string issue_token(std::string_view key, TokenUse use, const TokenOwner& owner, base::WallMs now_ms) {
  const std::string expires = std::to_string(now_ms + kTokenLifeMs);
  std::string token(kBegin);
  token.append(expires).append(1, kSeparator).append(base::to_hex(mac_of(key, use, owner, expires).view()));
  token.append(1, kSeparator).append(owner.device.product_key);
  token.append(1, kSeparator).append(owner.device.device_name);
  return token;
}

std::optional<TokenClaim> parse_token(std::string_view text) {
  if (text.size() > kTokenBytesMax || !text.starts_with(kBegin)) return std::nullopt;
  text.remove_prefix(kBegin.size());
  const auto expires = take_field(text);
  const auto mac = take_field(text);
  const auto product_key = take_field(text);
  if (!expires || !mac || !product_key || product_key->empty() || text.empty()) return std::nullopt;
  if (text.find(kSeparator) != std::string_view::npos) return std::nullopt;
  const auto time = parse_time(*expires);
  const auto bytes = base::from_hex(*mac);
  if (!time || std::to_string(*time) != *expires || !bytes || bytes->size() != kMacBytes) return std::nullopt;
  TokenClaim claim;
  claim.device = base::DeviceKeyView(*product_key, text);
  claim.expires_ms = *time;
  std::copy(bytes->begin(), bytes->end(), claim.mac.bytes.begin());
  claim.mac.size_bytes = kMacBytes;
  return claim;
}

bool is_sealed(std::string_view key, TokenUse use, const TokenClaim& claim) {
  const crypto::Mac seal = seal_of(key, use, claim.device, std::to_string(claim.expires_ms));
  return key.size() >= kTokenKeyBytesMin &&
         crypto::constant_time_equal(seal.view(), claim.mac.view().first(kSealBytes));
}

TokenVerdict check_token(std::string_view key, TokenUse use, const TokenClaim& claim, const TokenOwner& owner,
                         base::WallMs now_ms) {
  const crypto::Mac expected = mac_of(key, use, owner, std::to_string(claim.expires_ms));
  if (key.size() < kTokenKeyBytesMin || !crypto::constant_time_equal(expected.view(), claim.mac.view())) {
    return TokenVerdict::kForged;
  }
  // A clock that went back does not lengthen a token's life by more than that.
  return now_ms < claim.expires_ms && claim.expires_ms - now_ms <= 2 * kTokenLifeMs ? TokenVerdict::kValid
                                                                                    : TokenVerdict::kExpired;
}

bool looks_like_token(std::string_view password) {
  if (!password.starts_with(kBegin)) return false;
  password.remove_prefix(kBegin.size());
  const auto number = take_field(password);
  return number && parse_time(*number).has_value();
}

}  // namespace mooring::auth
