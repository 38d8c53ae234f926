// The certificate of a TLS client, and what the handshake found out about it.
//
// A client certificate is asked for, never required, and the handshake does not fail for what is wrong with one: the
// sign-in does, with a code and a line in the log. What was found is part of the session, so a resumed one has it too.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"

namespace mooring::net {

struct PeerCertificate {
  base::Bytes der;      // of the client itself
  std::string problem;  // why it does not chain to an authority of the context, one line; empty: it does
  // When all certificates of the chain are valid; the handshake does not look at the clock.
  base::WallMs valid_from_ms = 0;
  base::WallMs valid_until_ms = 0;
  // SHA-256 as 64 lower-case digits: of the nearest authority of the context above it, and of the certificates below
  // that, the client's first. The serial number is that of the one the authority signed.
  std::string authority;
  std::string issued_serial;
  std::vector<std::string> chain;
};

}  // namespace mooring::net
