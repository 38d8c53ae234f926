// The doctor: what was wrong with a refused sign-in, and what to change in the firmware. Pure functions, any thread.
//
// Nothing that it says holds a secret, or a code that would have been right.
#pragma once

#include "doctor/case.h"

namespace mooring::doctor {

// What one case may cost: HMACs, about 3 ms with texts of ordinary length and 20 ms with the longest; and time,
// whatever they are. Where the machine has little of it for this thread a case must not go unexplained for that alone.
inline constexpr std::uint32_t kHmacsPerCase = 6'000;
inline constexpr base::MonoMs kCaseMs = 250;
// Other devices whose secret is tried.
inline constexpr std::size_t kNeighboursMax = 1'000;

// An empty diagnosis: the refusal says all there is to say (rate limits, an internal failure).
journal::Diagnosis diagnose(const Case& patient, Budget& budget);

}  // namespace mooring::doctor
