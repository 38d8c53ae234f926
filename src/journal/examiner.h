// Examiner: the port through which the journal asks what was wrong with a refused sign-in. Implemented by the doctor.
//
// Called on the journal's thread, long after the peer was answered. It may look into the registry; what it computes is
// bounded by itself.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "journal/device_log.h"

namespace mooring::journal {

struct Diagnosis {
  std::string name;    // stable: "method-hmacsha1"; empty: nothing was found
  std::string text;    // what is wrong, in plain words
  std::string advice;  // what to change, and where
  bool empty() const { return name.empty(); }
};

// The name of a diagnosis that says no more than that there is none yet.
inline constexpr std::string_view kNotExamined = "not-examined";

class Examiner {
 public:
  virtual ~Examiner() = default;
  // `event.attempt` is set. Nothing: too many were examined just now; ask again later.
  virtual std::optional<Diagnosis> examine(const Event& event) = 0;
  // Whether there is such a device. Asked for events that nobody has checked.
  virtual bool is_known(const base::DeviceKey& device) = 0;
};

}  // namespace mooring::journal
