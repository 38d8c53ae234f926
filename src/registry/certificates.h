// What the registry keeps of X.509: private authorities, device certificates, revocations (connection.md section 11).
//
// Plain values, as in model.h. Fingerprints are SHA-256 as 64 lower-case hexadecimal digits, serial numbers lower-case
// hexadecimal digits without leading zeros. Nothing here is secret: of certificates the public part is kept.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"

namespace mooring::registry {

inline constexpr std::size_t kAuthoritiesMax = 10;           // the cloud's number; a setting may change it
inline constexpr std::size_t kCertificatesPerDeviceMax = 4;  // the old and the new one, and a spare of each
inline constexpr std::size_t kExpiringShownMax = 5;

struct Authority {
  std::string fingerprint;
  std::string certificate_pem;
  std::string subject;
  std::string product_key;  // the only product its certificates may be bound to at first use; empty: the subject's OU
  base::WallMs not_before_ms = 0;
  base::WallMs not_after_ms = 0;
  base::WallMs created_ms = 0;
  base::WallMs list_issued_ms = 0;  // of the last revocation list; 0: none was imported
  base::WallMs list_next_ms = 0;    // when the next one is due; 0: unknown
  std::uint64_t revoked_serials = 0;
  bool operator==(const Authority&) const = default;
};

struct BoundCertificate {
  std::string fingerprint;
  base::DeviceKey device;
  std::string subject;            // empty: bound by fingerprint and not used yet
  base::WallMs not_after_ms = 0;  // 0: likewise
  base::WallMs bound_ms = 0;
  bool first_use = false;  // bound by itself
  bool revoked = false;
  bool operator==(const BoundCertificate&) const = default;
};

// A certificate as a sign-in presents it. `chain`: its own fingerprint, then those of the certificates between it and
// the authority; `issued_serial` is of the last of them.
struct PresentedChain {
  std::vector<std::string> chain;
  std::string authority;
  std::string issued_serial;
  std::string subject;
  std::string common_name;
  std::string organizational_unit;
  base::WallMs not_after_ms = 0;
  std::optional<base::DeviceKey> claimed;  // the device it wants to be; nothing: it asks who it is
};

// What is known of it.
struct CertificateStanding {
  bool authority_known = false;
  bool revoked = false;  // it, or one between it and the authority
  std::optional<base::DeviceKey> device;
  bool first_use = false;    // not bound, but bind_at_first_use() would
  bool undescribed = false;  // bound by hand and seen for the first time: see describe_certificate()
};

// What was revoked in one go: a certificate, or those that an authority signed with these numbers.
struct RevokedCertificates {
  std::string fingerprint;  // empty: by number
  std::string authority;
  std::vector<std::string> serials;  // in order

  // A device that proved itself with this chain is concerned; the fields are those of PresentedChain.
  bool concerns(const std::vector<std::string>& chain, std::string_view its_authority,
                std::string_view issued_serial) const {
    if (!fingerprint.empty()) return std::ranges::find(chain, fingerprint) != chain.end();
    return its_authority == authority && std::ranges::binary_search(serials, issued_serial, std::less<>());
  }
};

struct ExpiringCertificates {
  std::vector<Authority> authorities;
  std::uint64_t device_certificates = 0;
  std::vector<BoundCertificate> first;  // at most kExpiringShownMax, those that end first
};

}  // namespace mooring::registry
