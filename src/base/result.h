// Result: the outcome of an operation that can fail in an expected way.
//
// Expected failures are values; broken invariants are MOORING_ASSERT (base/assert.h); exceptions do not cross a module.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace mooring::base {

// What kind of failure, coarse enough that a caller can act on it (exit status, HTTP status, MQTT code).
enum class Errc {
  kInvalidArgument,  // the caller's input is wrong; repeating it does not help
  kNotFound,
  kAlreadyExists,
  kConflict,  // somebody else changed it meanwhile
  kPermissionDenied,
  kLimitExceeded,  // a named bound was hit
  kUnavailable,    // try again later
  kIo,             // the operating system or a file refused
  kCorrupt,        // stored data is not what was written
  kInternal,
};

struct Error {
  Errc code = Errc::kInternal;
  std::string message;  // one sentence for a person, without a final stop; never holds a secret
};

template <class T = void>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(Errc code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}

}  // namespace mooring::base
