#include "crypto/client_certificate.h"

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "crypto/x509_fields.h"

namespace mooring::crypto {
namespace {

using base::Errc;
using base::fail;
using base::Result;

constexpr int kMinSecurityBits = 112;  // RSA 2048, P-224
constexpr std::size_t kMaxSerialBytes = 32;

using NumberPtr = std::unique_ptr<BIGNUM, Deleter<BN_free>>;
using RevocationListPtr = std::unique_ptr<X509_CRL, Deleter<X509_CRL_free>>;

struct FreeText {
  void operator()(unsigned char* text) const { OPENSSL_free(text); }
};

std::string hex_of(const ASN1_INTEGER* serial) {
  const NumberPtr number(ASN1_INTEGER_to_BN(serial, nullptr));
  if (!number || BN_num_bytes(number.get()) > static_cast<int>(kMaxSerialBytes)) return {};
  base::Bytes bytes(static_cast<std::size_t>(BN_num_bytes(number.get())));
  BN_bn2bin(number.get(), bytes.data());
  std::string digits = base::to_hex(bytes);
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  if (digits.empty()) digits = "0";
  return BN_is_negative(number.get()) != 0 ? "-" + digits : digits;
}

// The only entry of this kind, if it is text without zero bytes.
std::string only_entry(const X509_NAME* name, int kind) {
  const int at = X509_NAME_get_index_by_NID(name, kind, -1);
  if (at < 0 || X509_NAME_get_index_by_NID(name, kind, at) >= 0) return {};
  unsigned char* text = nullptr;
  const int bytes = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
  const std::unique_ptr<unsigned char, FreeText> owner(text);
  if (bytes <= 0) return {};
  std::string out(reinterpret_cast<const char*>(text), static_cast<std::size_t>(bytes));
  return out.find('\0') == std::string::npos && base::is_utf8(out) ? out : std::string();
}

DeviceCertificate describe(X509* certificate) {
  const X509_NAME* const name = X509_get_subject_name(certificate);
  DeviceCertificate out;
  out.fingerprint = fingerprint_hex(certificate);
  out.subject = base::printable(name_text(name), kMaxSubjectBytes);
  out.common_name = only_entry(name, NID_commonName);
  out.organizational_unit = only_entry(name, NID_organizationalUnitName);
  out.serial = hex_of(X509_get0_serialNumber(certificate));
  out.not_before_ms = read_time(X509_get0_notBefore(certificate));
  out.not_after_ms = read_time(X509_get0_notAfter(certificate));
  ERR_clear_error();
  return out;
}

Result<> check_authority(X509* certificate) {
  const auto wrong = [](std::string why) { return refused(std::move(why), Errc::kInvalidArgument); };
  if (X509_check_ca(certificate) != 1) return wrong("the certificate is not one of an authority (CA:TRUE is missing)");
  const std::uint32_t usage = X509_get_key_usage(certificate);
  if ((usage & KU_KEY_CERT_SIGN) == 0) return wrong("the authority may not sign certificates (keyCertSign is missing)");
  EVP_PKEY* const key = X509_get0_pubkey(certificate);
  if (key == nullptr || EVP_PKEY_get_security_bits(key) < kMinSecurityBits) {
    return wrong("the authority's key is too weak: RSA of 2048 bits or ECDSA P-256 is the least");
  }
  const int name_bytes = i2d_X509_NAME(X509_get_subject_name(certificate), nullptr);
  if (X509_NAME_entry_count(X509_get_subject_name(certificate)) == 0) return wrong("the authority has no name");
  if (name_bytes > static_cast<int>(kMaxAuthorityNameBytes)) {
    return fail(Errc::kLimitExceeded,
                "the authority's name is longer than " + std::to_string(kMaxAuthorityNameBytes) + " bytes");
  }
  return {};
}

Result<CertificatePtr> read_bounded(std::string_view pem) {
  if (pem.size() > kMaxCertificateBytes) return fail(Errc::kLimitExceeded, "the certificate's text is too long");
  return read_certificate(pem);
}

bool is_lifted(X509_REVOKED* entry) {
  int reason = 0;
  const std::unique_ptr<ASN1_ENUMERATED, Deleter<ASN1_ENUMERATED_free>> code(
      static_cast<ASN1_ENUMERATED*>(X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, nullptr, nullptr)));
  if (code) reason = static_cast<int>(ASN1_ENUMERATED_get(code.get()));
  return reason == CRL_REASON_REMOVE_FROM_CRL;
}

std::string without_colons(std::string_view text) {
  std::string out = base::to_lower(base::trim(text));
  std::erase(out, ':');
  return out;
}

}  // namespace

Result<DeviceCertificate> read_device_certificate(base::ByteView der) {
  const unsigned char* at = der.data();
  const CertificatePtr certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (!certificate) return refused("the bytes are no certificate", Errc::kInvalidArgument);
  return describe(certificate.get());
}

Result<DeviceCertificate> read_device_certificate_pem(std::string_view pem) {
  const auto certificate = read_bounded(pem);
  if (!certificate) return tl::unexpected(certificate.error());
  return describe(certificate->get());
}

Result<PrivateAuthority> read_private_authority(std::string_view pem) {
  const auto certificate = read_bounded(pem);
  if (!certificate) return tl::unexpected(certificate.error());
  if (auto good = check_authority(certificate->get()); !good) return tl::unexpected(good.error());
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_X509(bio.get(), certificate->get()) != 1) {
    return refused("the certificate cannot be written");
  }
  return PrivateAuthority{describe(certificate->get()), take_text(bio.get())};
}

Result<RevocationList> read_revocation_list(std::string_view pem, std::string_view authority_pem) {
  const auto authority = read_certificate(authority_pem);
  if (!authority) return tl::unexpected(authority.error());
  const BioPtr bio = memory_of(pem);
  const RevocationListPtr list(bio ? PEM_read_bio_X509_CRL(bio.get(), nullptr, no_password, nullptr) : nullptr);
  if (!list) {
    return refused("the text is no revocation list in PEM form (openssl crl -inform DER converts one)",
                   Errc::kInvalidArgument);
  }
  if (X509_NAME_cmp(X509_CRL_get_issuer(list.get()), X509_get_subject_name(authority->get())) != 0 ||
      X509_CRL_verify(list.get(), X509_get0_pubkey(authority->get())) != 1) {
    return refused("the revocation list was not signed by this authority", Errc::kInvalidArgument);
  }
  // One that says less than everything would lift what an earlier one revoked (RFC 5280 sections 5.2.4 and 5.2.5).
  for (int i = 0; i < X509_CRL_get_ext_count(list.get()); ++i) {
    X509_EXTENSION* const extension = X509_CRL_get_ext(list.get(), i);
    const int kind = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
    if (kind == NID_delta_crl || kind == NID_issuing_distribution_point ||
        X509_EXTENSION_get_critical(extension) != 0) {
      return refused("the revocation list is not a complete one: it has a critical extension or is a part of a list",
                     Errc::kInvalidArgument);
    }
  }
  RevocationList out;
  out.issued_ms = read_time(X509_CRL_get0_lastUpdate(list.get()));
  out.next_ms = read_time(X509_CRL_get0_nextUpdate(list.get()));
  STACK_OF(X509_REVOKED)* const entries = X509_CRL_get_REVOKED(list.get());
  if (sk_X509_REVOKED_num(entries) > static_cast<int>(kMaxRevokedSerials)) {
    return fail(Errc::kLimitExceeded,
                "a revocation list may have at most " + std::to_string(kMaxRevokedSerials) + " entries");
  }
  for (int i = 0; i < sk_X509_REVOKED_num(entries); ++i) {
    X509_REVOKED* const entry = sk_X509_REVOKED_value(entries, i);
    if (!is_lifted(entry)) out.serials.push_back(hex_of(X509_REVOKED_get0_serialNumber(entry)));
  }
  ERR_clear_error();
  return out;
}

Result<std::string> parse_fingerprint(std::string_view text) {
  std::string digits = without_colons(text);
  if (digits.size() != 64 || !base::from_hex(digits)) {
    return fail(Errc::kInvalidArgument,
                "'" + base::printable(text, 120) + "' is no SHA-256 fingerprint: 64 hexadecimal digits");
  }
  return digits;
}

Result<std::string> parse_serial(std::string_view text) {
  std::string digits = without_colons(text);
  if (digits.starts_with("0x")) digits.erase(0, 2);
  const bool good = !digits.empty() && digits.size() <= 2 * kMaxSerialBytes &&
                    digits.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!good) {
    return fail(Errc::kInvalidArgument, "'" + base::printable(text, 120) + "' is no serial number: hexadecimal digits");
  }
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size() - 1));
  return digits;
}

}  // namespace mooring::crypto
