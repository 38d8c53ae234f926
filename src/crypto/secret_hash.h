// What may be kept of a generated secret (of an API token, of a ticket) so that it is known again. One round of SHA-256
// is enough, because nobody guesses 190 random bits; passwords that people choose go through password_hash.h.
// Pure functions, any thread, microseconds.
#pragma once

#include <string>
#include <string_view>

namespace mooring::crypto {

inline constexpr std::size_t kSecretHashBytes = 64;  // lower-case hexadecimal digits

std::string hash_secret(std::string_view secret);
// Takes the same time for every secret of the same length. An empty hash is nobody's: the work is done all the same.
bool is_hash_of(std::string_view hash, std::string_view secret);

}  // namespace mooring::crypto
