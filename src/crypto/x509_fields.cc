#include "crypto/x509_fields.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <array>
#include <ctime>
#include <utility>

#include "base/bytes.h"
#include "base/text.h"

namespace mooring::crypto {
namespace {

using Digest = std::array<unsigned char, EVP_MAX_MD_SIZE>;
unsigned sha256(X509* certificate, Digest& digest) {
  unsigned size = 0;
  return X509_digest(certificate, EVP_sha256(), digest.data(), &size) == 1 ? size : 0;
}

}  // namespace

int no_password(char*, int, int, void*) {
  return -1;
}

tl::unexpected<base::Error> refused(std::string message, base::Errc code) {
  ERR_clear_error();
  return base::fail(code, std::move(message));
}

BioPtr memory_of(std::string_view text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string take_text(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

base::Result<CertificatePtr> read_certificate(std::string_view pem) {
  const BioPtr bio = memory_of(pem);
  CertificatePtr certificate(bio ? PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr) : nullptr);
  if (!certificate) return refused("the text is no certificate in PEM form", base::Errc::kInvalidArgument);
  return certificate;
}

base::WallMs read_time(const ASN1_TIME* field) {
  std::tm parts{};
  if (field == nullptr || ASN1_TIME_to_tm(field, &parts) != 1) return 0;
  return static_cast<base::WallMs>(::timegm(&parts)) * 1000;
}

std::string name_text(const X509_NAME* name) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  // UTF-8 stays readable, control characters are escaped.
  constexpr unsigned long kFlags = (XN_FLAG_ONELINE & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB)) |
                                   static_cast<unsigned long>(ASN1_STRFLGS_ESC_CTRL);
  if (!bio || X509_NAME_print_ex(bio.get(), name, 0, kFlags) < 0) return {};
  return take_text(bio.get());
}

std::string fingerprint_with_colons(X509* certificate) {
  Digest digest{};
  const unsigned size = sha256(certificate, digest);
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (unsigned i = 0; i < size; ++i) {
    if (i > 0) out += ':';
    out += kDigits[digest[i] >> 4];
    out += kDigits[digest[i] & 15];
  }
  return out;
}

std::string fingerprint_hex(X509* certificate) {
  Digest digest{};
  const unsigned size = sha256(certificate, digest);
  return base::to_hex(base::ByteView(digest.data(), size));
}

}  // namespace mooring::crypto
