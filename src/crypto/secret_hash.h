// What may be kept of a generated secret (of an API token, of a ticket, of a device's token) so that it is known again.
// One keyed round of SHA-256 is enough, because nobody guesses 128 random bits or more; passwords that people choose go
// through password_hash.h.
// Pure functions, any thread, microseconds.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"

namespace mooring::crypto {

inline constexpr std::size_t kSecretHashBytes = 64;  // lower-case hexadecimal digits

std::string hash_secret(std::string_view secret);
// Of a device's token: under another key, so that neither is ever taken for the other.
std::string token_hash(std::string_view token);
// Takes the same time for every secret of the same length. An empty hash is nobody's: the work is done all the same.
bool is_hash_of(std::string_view hash, std::string_view secret);

// In the shape of the platform's tokens, "^1^<ms>^<hex>" (connection.md section 10), with 128 random bits.
std::string make_device_token(base::Random& random, base::WallMs now_ms);

}  // namespace mooring::crypto
