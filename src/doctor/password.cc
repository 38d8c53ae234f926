#include "doctor/password.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace mooring::doctor {
namespace {

using crypto::HmacMethod;

constexpr std::array kMethods{HmacMethod::kMd5, HmacMethod::kSha1, HmacMethod::kSha256};
constexpr std::size_t kLeastBytes = 8;  // of a code that was cut: fewer would fit by chance

std::optional<base::Bytes> from_base64(std::string_view text) {
  base::Bytes out;
  std::uint32_t bits = 0;
  int count = 0;
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  for (const char c : text) {
    int value = -1;
    if (c >= 'A' && c <= 'Z') value = c - 'A';
    if (c >= 'a' && c <= 'z') value = c - 'a' + 26;
    if (c >= '0' && c <= '9') value = c - '0' + 52;
    if (c == '+' || c == '-') value = 62;
    if (c == '/' || c == '_') value = 63;
    if (value < 0) return std::nullopt;
    bits = (bits << 6) | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out.push_back(static_cast<std::uint8_t>(bits >> count));
    }
  }
  return out;
}

crypto::Mac mac_of(base::ByteView bytes) {
  crypto::Mac mac;
  mac.size_bytes = static_cast<std::uint8_t>(std::min(bytes.size(), mac.bytes.size()));
  std::copy_n(bytes.begin(), mac.size_bytes, mac.bytes.begin());
  return mac;
}

std::optional<HmacMethod> method_of(std::size_t bytes) {
  for (const HmacMethod method : kMethods) {
    if (crypto::size_bytes(method) == bytes) return method;
  }
  return std::nullopt;
}

}  // namespace

std::vector<PasswordReading> read_password(std::string_view password) {
  std::vector<PasswordReading> out;
  Mistake outer;
  const std::string_view trimmed = base::trim(password);
  if (trimmed.size() != password.size()) {
    outer = {"password-with-blank", "The password has a blank or a line end at its beginning or end.",
             "Send the hexadecimal code alone."};
  } else if (password.ends_with('\0')) {
    outer = {"password-with-zero-byte", "The password ends with a zero byte: the terminator was counted.",
             "Send the hexadecimal code without its terminator."};
  }
  std::string_view text = trimmed;
  while (text.ends_with('\0')) text.remove_suffix(1);
  if (text.starts_with("0x") || text.starts_with("0X")) {
    outer = {"password-with-0x", "The password begins with 0x.", "Send the hexadecimal digits alone."};
    text.remove_prefix(2);
  }
  if (const auto raw = method_of(password.size()); raw && !base::from_hex(text)) {
    out.push_back({*raw,
                   mac_of(base::as_bytes(password)),
                   false,
                   {"password-binary", "The password is the code as raw bytes.",
                    "Send the code as hexadecimal text, two digits for each byte."}});
  }
  if (const auto bytes = base::from_hex(text); bytes && !bytes->empty()) {
    if (const auto method = method_of(bytes->size())) {
      out.push_back({*method, mac_of(*bytes), false, outer});
    }
    // Hexadecimal of the hexadecimal text.
    if (const auto inner = base::from_hex(base::as_text(*bytes)); inner) {
      if (const auto method = method_of(inner->size())) {
        out.push_back({*method,
                       mac_of(*inner),
                       false,
                       {"password-hex-twice", "The code was turned into hexadecimal twice.",
                        "Send the hexadecimal text of the code once."}});
      }
    }
    for (const HmacMethod method : kMethods) {
      if (bytes->size() < kLeastBytes || bytes->size() >= crypto::size_bytes(method)) continue;
      out.push_back({method,
                     mac_of(*bytes),
                     true,
                     {"password-cut", "The password is the beginning of the right code only.",
                      "Check the size of the password buffer: hmacmd5 needs 32 characters, hmacsha1 40, hmacsha256 64, "
                      "and one more for the terminator."}});
    }
  } else if (text.size() % 2 == 1) {  // cut in the middle of a byte
    if (const auto most = base::from_hex(text.substr(0, text.size() - 1)); most && most->size() >= kLeastBytes) {
      for (const HmacMethod method : kMethods) {
        if (most->size() >= crypto::size_bytes(method)) continue;
        out.push_back({method,
                       mac_of(*most),
                       true,
                       {"password-cut", "The password is the beginning of the right code only.",
                        "Check the size of the password buffer: hmacmd5 needs 32 characters, hmacsha1 40, hmacsha256 "
                        "64, and one more for the terminator."}});
      }
    }
  }
  if (const auto bytes = from_base64(text); bytes) {
    if (const auto method = method_of(bytes->size())) {
      out.push_back({*method,
                     mac_of(*bytes),
                     false,
                     {"password-base64", "The code was sent as base64.", "Send the code as hexadecimal text."}});
    }
  }
  return out;
}

bool fits(const PasswordReading& reading, const crypto::Mac& computed) {
  if (!reading.beginning_only) return crypto::constant_time_equal(reading.mac.view(), computed.view());
  return computed.size_bytes > reading.mac.size_bytes &&
         crypto::constant_time_equal(reading.mac.view(), computed.view().first(reading.mac.size_bytes));
}

Mistake no_code(std::string_view password) {
  return {"password-no-code",
          fmt::format("The password has {} characters and is no code of hmacmd5 (32 hexadecimal digits), hmacsha1 (40) "
                      "or hmacsha256 (64).",
                      password.size()),
          "Send the HMAC of the signed text in hexadecimal."};
}

std::optional<Mistake> odd_password(std::string_view password, const RegistryFacts& facts) {
  const std::string_view text = base::trim(password);
  if (!facts.device_secret.empty() && text == facts.device_secret) {
    return Mistake{"secret-as-password", "The device sent its secret as the password.",
                   "Send the HMAC of the signed text under the secret, in hexadecimal; never the secret itself. Change "
                   "this secret if the connection was not encrypted."};
  }
  if (!facts.product_secret.empty() && text == facts.product_secret) {
    return Mistake{"secret-as-password", "The device sent the product secret as the password.",
                   "Send the HMAC of the signed text under the device secret, in hexadecimal."};
  }
  if (password.empty()) {
    return Mistake{"password-empty", "The password is empty.",
                   "Send the HMAC of the signed text in hexadecimal; an empty password is for X.509 devices."};
  }
  if (text.starts_with("^1^")) {
    return Mistake{"token-without-authtype", "The password looks like a device token, but authType is not connwl.",
                   "Add authType=connwl and securemode=-2 to the client identifier."};
  }
  return std::nullopt;
}

}  // namespace mooring::doctor
