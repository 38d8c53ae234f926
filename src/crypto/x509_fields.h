// Private to the module: libcrypto's objects as owning pointers, and fields of certificates as values.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace mooring::crypto {

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using BioPtr = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, Deleter<X509_free>>;

// libcrypto queues its errors per thread; leftovers would confuse the TLS code of the same thread.
tl::unexpected<base::Error> refused(std::string message, base::Errc code = base::Errc::kInternal);

// For PEM readers: answers "no password" without asking on the terminal, as libcrypto would by itself.
int no_password(char*, int, int, void*);

BioPtr memory_of(std::string_view text);
std::string take_text(BIO* bio);
base::Result<CertificatePtr> read_certificate(std::string_view pem);

base::WallMs read_time(const ASN1_TIME* field);  // 0 when it cannot be read
std::string name_text(const X509_NAME* name);    // "CN = ..., O = ...", for people
// SHA-256 of the whole certificate; empty when it cannot be made.
std::string fingerprint_with_colons(X509* certificate);  // "AA:BB:.."
std::string fingerprint_hex(X509* certificate);          // "aabb.."

}  // namespace mooring::crypto
