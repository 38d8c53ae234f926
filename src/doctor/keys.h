// Private to the module: what a device may have taken for its secret.
#pragma once

#include <string>
#include <vector>

#include "doctor/case.h"

namespace mooring::doctor {

struct KeyVariant {
  std::string key;
  Mistake mistake;  // no name: the right key
};

// The right key first, then the mistaken ones, likely ones first. Without the secrets of other devices.
std::vector<KeyVariant> key_variants(const RegistryFacts& facts);

}  // namespace mooring::doctor
