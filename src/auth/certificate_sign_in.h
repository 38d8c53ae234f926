// Sign-in by client certificate: connection.md section 11, "X.509".
//
// A device with a certificate signs nothing: its password is empty. It asks who it is with the user name "&", or says
// so with "dn&pk". begin() (auth/sign_in.h) checks everything that needs no registry; then
//   ... look up what is known of the certificate ...
//   check_certificate(shown, record, *pending, now_ms);   // fills in pending->device
// and the sign-in goes on with that device as every other. I/O-free, reads no clock, any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "auth/sign_in.h"
#include "base/clock.h"
#include "base/ids.h"

namespace mooring::auth {

// As the TLS handshake left it.
struct PresentedCertificate {
  std::string problem;  // why it does not chain to an authority; empty: it does
  base::WallMs valid_from_ms = 0;
  base::WallMs valid_until_ms = 0;
  std::vector<std::string> chain;  // fingerprints, its own first; when `problem` is empty never empty
  std::string authority;
  std::string issued_serial;
  std::string fingerprint;
  std::string subject;  // for the log
  std::string common_name;
  std::string organizational_unit;
};

// What the registry knows of it.
struct CertificateRecord {
  bool authority_known = false;
  bool revoked = false;
  std::optional<base::DeviceKey> device;  // it is bound to
};

// What can be said without the registry; nothing: it may be good.
std::optional<RefusalReason> check_presented(const PresentedCertificate& shown, base::WallMs now_ms);

// The whole decision. On success `pending` has the certificate's device.
std::optional<RefusalReason> check_certificate(const PresentedCertificate& shown, const CertificateRecord& record,
                                               PendingSignIn& pending, base::WallMs now_ms);

}  // namespace mooring::auth
