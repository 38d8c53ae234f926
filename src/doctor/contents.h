// Private to the module: what a device may have signed instead of what it should have (connection.md 4.3).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "doctor/case.h"

namespace mooring::doctor {

// One way to go wrong in one respect. The right way comes first and has no mistake.
struct BaseVariant {
  std::string base;
  Mistake mistake;
};
struct TimestampVariant {
  std::optional<std::string> timestamp;
  Mistake mistake;
};
struct NamesVariant {
  base::DeviceKey names;
  Mistake mistake;
};
struct FormVariant {
  enum class Style : std::uint8_t { kKeyed, kLowerKeys, kValues, kQuery, kColons, kKeyedWithMore };
  Style style = Style::kKeyed;
  std::string_view order = "cdpt";  // c: client id, d: device name, p: product key, t: timestamp
  std::string more;                 // kKeyedWithMore: what stands before "timestamp"
  Mistake mistake;
};

// What the CONNECT says, taken apart.
struct SignedParts {
  std::string_view client_id;  // the whole one
  std::string_view base;
  std::optional<std::string> timestamp;
  std::string_view sign_method;  // as announced; empty: not
  std::string_view secure_mode;
};

std::vector<BaseVariant> base_variants(const SignedParts& parts, const base::DeviceKey& device);
std::vector<TimestampVariant> timestamp_variants(const SignedParts& parts);
std::vector<NamesVariant> names_variants(const base::DeviceKey& device);
std::vector<FormVariant> form_variants(const SignedParts& parts);

std::string signed_text(const BaseVariant& base, const TimestampVariant& timestamp, const NamesVariant& names,
                        const FormVariant& form);

}  // namespace mooring::doctor
