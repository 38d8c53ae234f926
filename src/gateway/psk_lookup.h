// What became of a TLS-PSK identity (connection.md 2.5): its key, or why there is none; and how a handshake that failed
// is told in the device log. Plain values.
#pragma once

#include <string>
#include <string_view>

#include "journal/device_log.h"

namespace mooring::gateway {

enum class PskVerdict : std::uint8_t {
  kKey,            // there is one; a handshake that fails all the same was made with another
  kIdentityForm,   // not an identity of the platform
  kUnknownDevice,  // no such product or device
  kNoSecret,       // none was issued to the device
  kTurnedAway,     // back-off: nobody looked
  kUnavailable,    // the registry did not answer
  kBrokenOff,      // the client left before it had shown its key
};

struct PskKey {
  PskVerdict verdict = PskVerdict::kIdentityForm;
  std::string key{};  // a secret; empty: the handshake goes on with one that nobody has
};

// For the device that the identity names, if it names one; `address` with port. The doctor looks at all but those who
// are turned away, for that has to stay cheap.
journal::Event psk_refusal(std::string_view identity, PskVerdict verdict, std::string address);

}  // namespace mooring::gateway
