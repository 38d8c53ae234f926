// Hashes of passwords that people and back ends sign in with: Argon2id (RFC 9106) by libsodium, in its own text form
// "$argon2id$v=19$m=...,t=...,p=1$salt$hash", which names its cost, so that a raised cost leaves old hashes valid.
//
// Everything here blocks for tens of milliseconds and takes tens of MiB while it does: never on an event loop. Any
// thread. Device secrets are another matter: HMAC needs them in clear text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mooring::crypto {

// What one attempt costs: about 25 ms of a core of 2023 and 32 MiB. RFC 9106 and common advice ask for at least 19 MiB
// with two passes; more memory is what makes guessing on graphics cards dear, and 32 MiB at a time is still little for
// a small machine, because the server verifies one password after another.
inline constexpr std::uint64_t kPasswordPasses = 2;
inline constexpr std::size_t kPasswordMemoryBytes = 32U << 20;

// With a fresh random salt. kUnavailable: the memory was not to be had.
base::Result<std::string> hash_password(std::string_view password);

// False for a wrong password, and for a text that is no such hash. As long as the cost written in the hash takes,
// whatever the password.
bool verify_password(const std::string& hash, std::string_view password);

// Whether the hash was made at another cost than the present one.
bool needs_rehash(const std::string& hash);

// The hash of a password that nobody knows, made at the present cost when it is first asked for. Verifying against it
// takes as long as verifying against an account's, so that the time of a refusal does not tell which accounts exist.
const std::string& nobodys_password_hash();

}  // namespace mooring::crypto
