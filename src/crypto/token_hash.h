// Tokens that the server hands out and recognises later: in the store stands a hash only.
//
// Tokens have 128 random bits, so a plain keyed hash protects them; it needs no salt and costs a microsecond.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"

namespace mooring::crypto {

// In the shape of the platform's tokens, "^1^<ms>^<hex>" (connection.md section 10); unguessable.
std::string make_device_token(base::Random& random, base::WallMs now_ms);

// 64 lower-case hexadecimal digits. Equal for equal texts, in every process.
std::string token_hash(std::string_view token);

}  // namespace mooring::crypto
