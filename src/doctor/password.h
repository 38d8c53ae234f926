// Private to the module: what the password of a CONNECT may be the code of.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "crypto/hmac.h"
#include "doctor/case.h"

namespace mooring::doctor {

// One reading of the password. `mistake` without name: written as it should be.
struct PasswordReading {
  crypto::HmacMethod method;
  crypto::Mac mac;              // maybe only its beginning
  bool beginning_only = false;  // the password was cut
  Mistake mistake;
};

// Every way to read it as a code of one of the methods; empty: it is none.
std::vector<PasswordReading> read_password(std::string_view password);

bool fits(const PasswordReading& reading, const crypto::Mac& computed);

// When it can be read in no way.
Mistake no_code(std::string_view password);

// A password that is no code at all. Nothing: nothing is known about it.
std::optional<Mistake> odd_password(std::string_view password, const RegistryFacts& facts);

}  // namespace mooring::doctor
