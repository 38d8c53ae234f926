// The doctor: what was wrong with a refused CONNECT, and what to change in the firmware. Pure functions, any thread.
//
// Nothing that it says holds a secret, or a code that would have been right.
#pragma once

#include "doctor/case.h"

namespace mooring::doctor {

// HMACs that one case may cost: about 3 ms.
inline constexpr std::uint32_t kHmacsPerCase = 6'000;
// Other devices whose secret is tried.
inline constexpr std::size_t kNeighboursMax = 1'000;

// An empty diagnosis: the refusal says all there is to say (rate limits, an internal failure).
journal::Diagnosis diagnose(const Case& patient, Budget& budget);

}  // namespace mooring::doctor
