// Private to the module: the part of DeviceSignIn that asks who a client certificate is.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "auth/certificate_sign_in.h"
#include "gateway/device_sign_in.h"
#include "net/peer_certificate.h"

namespace mooring::gateway {

// A certificate of TLS as auth wants to see it.
auth::PresentedCertificate presented(const net::PeerCertificate& certificate);

// A sign-in by certificate that waits for the registry.
struct DeviceSignIn::ByCertificate {
  auth::PendingSignIn pending;
  auth::PresentedCertificate shown;
  std::string address;
  Done done;
  int lookups_left = kLookupsMax;
  std::uint64_t asked = 0;  // generation of the certificates, when the registry was asked

  // While somebody revokes one after the other a sign-in must not go round for ever.
  static constexpr int kLookupsMax = 4;
  static ByCertificateRef make(auth::PendingSignIn pending, const auth::PresentedCertificate& shown,
                               std::string address, Done done) {
    return ByCertificateRef(new ByCertificate{std::move(pending), shown, std::move(address), std::move(done)});
  }
};

}  // namespace mooring::gateway
