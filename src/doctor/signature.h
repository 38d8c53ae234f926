// Private to the module: which mistake makes a wrong signature right.
#pragma once

#include <optional>
#include <vector>

#include "doctor/case.h"
#include "doctor/contents.h"

namespace mooring::doctor {

// What the CONNECT says, read leniently: parameters that the server would refuse are read, too.
SignedParts parts_of(const journal::SignInAttempt& attempt);

// The mistakes that explain the password: one, or two together. Empty: none was found. Pure; costs at most what
// `budget` has.
std::vector<Mistake> explain_signature(const Case& patient, Budget& budget);

}  // namespace mooring::doctor
