// Certificates of devices, the private authorities that issue them, and their revocation lists: reading and checking.
// Whether a certificate chains to an authority is decided by net during the TLS handshake.
//
// Pure functions, any thread; every byte string is answered. Errors: kInvalidArgument for what is not what it should
// be, kLimitExceeded for what is too large.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

namespace mooring::crypto {

inline constexpr std::size_t kMaxSubjectBytes = 512;            // of the text for people; longer ones are cut
inline constexpr std::size_t kMaxCertificateBytes = 64 * 1024;  // PEM
inline constexpr std::size_t kMaxAuthorityNameBytes = 1024;     // DER: it goes to every TLS client that is asked
inline constexpr std::size_t kMaxRevokedSerials = 200'000;      // of one revocation list

struct DeviceCertificate {
  std::string fingerprint;  // SHA-256, 64 lower-case hexadecimal digits
  std::string subject;      // for people: UTF-8, one line
  // The subject's only CN and OU, as UTF-8. Empty when there is none or more than one, or when it holds a zero byte.
  std::string common_name;
  std::string organizational_unit;
  std::string serial;  // hexadecimal, lower case, without leading zeros; "-" in front of a negative one
  base::WallMs not_before_ms = 0;
  base::WallMs not_after_ms = 0;
};

base::Result<DeviceCertificate> read_device_certificate(base::ByteView der);
// The first certificate of the text.
base::Result<DeviceCertificate> read_device_certificate_pem(std::string_view pem);

// A certificate that may issue others.
struct PrivateAuthority {
  DeviceCertificate certificate;
  std::string pem;  // of this certificate alone
};
// The first certificate of the text, if it is one of an authority that is fit to be trusted: CA, allowed to sign
// certificates, with a key of at least 112 bits of security.
base::Result<PrivateAuthority> read_private_authority(std::string_view pem);

struct RevocationList {
  base::WallMs issued_ms = 0;
  base::WallMs next_ms = 0;  // when the next one is due; 0: it does not say
  std::vector<std::string> serials;
};
// A revocation list in PEM form, if the authority signed it.
base::Result<RevocationList> read_revocation_list(std::string_view pem, std::string_view authority_pem);

// "AA:BB:.." or "aabb..", any case, of 32 bytes -> 64 lower-case digits.
base::Result<std::string> parse_fingerprint(std::string_view text);
// Hexadecimal digits with or without colons and leading zeros -> as in DeviceCertificate::serial.
base::Result<std::string> parse_serial(std::string_view text);

}  // namespace mooring::crypto
