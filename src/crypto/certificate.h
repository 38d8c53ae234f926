// Certificates and private keys as PEM text: make, read, compare. Knows nothing of files (crypto/authority.h does).
//
// Thread-safe. Errors: kInvalidArgument for text that is not what it should be, kInternal when libcrypto refuses.
// Messages never hold key material.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace mooring::crypto {

enum class KeyType { kRsa2048, kEcdsaP256 };

// Certificate and its private key (PKCS #8). The key is a secret: do not log it.
struct CertificatePair {
  std::string certificate_pem;
  std::string key_pem;
};

struct CertificateInfo {
  std::string subject;                    // "CN = Mooring Root CA ..."
  std::vector<std::string> dns_names;     // lower case, in the order of the certificate
  std::vector<std::string> ip_addresses;  // canonical text
  base::WallMs not_before_ms = 0;
  base::WallMs not_after_ms = 0;
  std::string sha256_fingerprint;  // "AA:BB:..", 32 pairs
  std::string issuer;              // likewise
  std::string key_type;            // "RSA", "EC", ...; empty: not known
  bool is_authority = false;       // basicConstraints CA:TRUE
};

// What a server is called. IP addresses in text go to ip_addresses, everything else to dns_names.
struct ServerNames {
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;
};

inline constexpr std::size_t kMaxServerNames = 100;

// Sorts a mixed list ("example.org", "*.example.org", "192.0.2.1", "[2001:db8::1]") into names and addresses in
// canonical form, without repetitions. kInvalidArgument names the entry that is neither; kLimitExceeded above
// kMaxServerNames.
base::Result<ServerNames> parse_server_names(const std::vector<std::string>& names);

// A fresh private key. RSA takes 50 to 300 ms of CPU.
base::Result<std::string> make_private_key(KeyType type);

// A self-signed authority for an RSA or EC key: SHA-256, CA:TRUE, 20 years.
base::Result<std::string> make_root_certificate(std::string_view key_pem, base::WallMs now_ms);

// A server certificate for `key_pem`, signed with SHA-256 by the root; a day back to 397 days ahead, never beyond the
// root.
base::Result<std::string> make_server_certificate(std::string_view key_pem, const ServerNames& names,
                                                  const CertificatePair& root, base::WallMs now_ms);

// The first certificate of the text.
base::Result<CertificateInfo> parse_certificate(std::string_view certificate_pem);

// That the private key belongs to the (first) certificate.
base::Result<> check_key_matches(std::string_view certificate_pem, std::string_view key_pem);

// That the certificate carries the authority's signature. Dates are not looked at.
base::Result<> check_issued_by(std::string_view certificate_pem, std::string_view root_pem);

}  // namespace mooring::crypto
