// A refused sign-in as the doctor sees it, and what it may find. Plain values; they hold secrets: never log them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "journal/device_log.h"
#include "journal/examiner.h"

namespace mooring::doctor {

// Another device of the product, for "the secret is that of another device".
struct Neighbour {
  std::string device_name;
  std::string device_secret;
};

// What the registry knows about the names that were claimed.
struct RegistryFacts {
  bool product_exists = false;
  bool device_exists = false;
  bool disabled = false;
  bool registration_on = false;  // of names that were made beforehand, or of any
  std::string product_secret;
  std::string device_secret;          // empty: none issued
  bool swapped_exists = false;        // there is a device when product key and device name change places
  std::string product_meant;          // a product whose key differs in the case of letters, or by a slip
  std::string device_meant;           // likewise, of the claimed product
  std::string device_elsewhere;       // product key of a product that has a device of this name
  std::vector<Neighbour> neighbours;  // bounded by who fills it
};

// Settings that a refusal may rest on.
struct Policy {
  std::uint16_t keep_alive_min_s = 30;
  std::uint16_t keep_alive_max_s = 1200;
};

struct Case {
  std::string_view refusal;  // its stable name: "wrong-signature"
  const journal::SignInAttempt& attempt;
  base::DeviceKey device;  // as claimed; empty names when the user name does not tell
  const RegistryFacts& facts;
  const Policy& policy;
};

// One thing that is wrong. Several make a diagnosis together.
struct Mistake {
  std::string name;    // stable, in lower case with hyphens
  std::string text;    // a sentence
  std::string advice;  // a sentence that says what to change
};

journal::Diagnosis combine(const std::vector<Mistake>& mistakes);

// The work that may still be done: HMACs, and time, for an HMAC costs what its text is long. One for a case; the owner
// bounds their sum.
class Budget {
 public:
  // `clock` outlives it; from `until_ms` on nothing more is done, however little was done so far.
  Budget(std::uint32_t hmacs, const base::Clock& clock, base::MonoMs until_ms)
      : left_(hmacs), clock_(clock), until_ms_(until_ms) {}
  bool take() {
    if (left_ == 0) return false;
    if (left_ % kHmacsBetweenLooks == 0 && clock_.mono_ms() >= until_ms_) {
      cut_short_ = true;
      left_ = 0;
      return false;
    }
    if (--left_ == 0) cut_short_ = true;
    return true;
  }
  std::uint32_t left() const { return left_; }
  bool cut_short() const { return cut_short_; }  // more would have been tried

 private:
  static constexpr std::uint32_t kHmacsBetweenLooks = 32;

  std::uint32_t left_;
  const base::Clock& clock_;
  const base::MonoMs until_ms_;
  bool cut_short_ = false;
};

}  // namespace mooring::doctor
