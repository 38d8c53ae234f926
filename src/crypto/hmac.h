// HMAC with the three hashes that devices announce, and comparison in constant time.
//
// For the sign-in path: no allocation and no algorithm look-up per call (both happen once per thread). Thread-safe. The
// hashes come from libcrypto's default provider whatever the machine's openssl.cnf says, so HMAC-MD5 always works.
// Source: connection.md section 4.3; RFC 2104.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace mooring::crypto {

enum class HmacMethod : std::uint8_t { kMd5, kSha1, kSha256 };

// "hmacmd5", "hmacsha1", "hmacsha256" without regard to case, and "sha256" for the last; nothing for another word.
std::optional<HmacMethod> parse_hmac_method(std::string_view name);
std::string_view name(HmacMethod method);
constexpr std::size_t size_bytes(HmacMethod method) {
  return method == HmacMethod::kMd5 ? 16 : method == HmacMethod::kSha1 ? 20 : 32;
}

// A computed code: 16, 20 or 32 bytes.
struct Mac {
  std::array<std::uint8_t, 32> bytes{};
  std::uint8_t size_bytes = 0;
  base::ByteView view() const { return {bytes.data(), size_bytes}; }
};

// HMAC over the parts as if they were one text. Key and parts may have any length.
Mac hmac(HmacMethod method, std::string_view key, std::initializer_list<std::string_view> parts);

// Takes the same time for every content of the same sizes. Different sizes: false, at once.
bool constant_time_equal(base::ByteView a, base::ByteView b);

// Overwrites in a way that the compiler keeps: for keys and passwords that are no longer needed.
void cleanse(base::MutableBytes bytes);
void cleanse(std::string& text);  // all that it holds; its size stays

}  // namespace mooring::crypto
