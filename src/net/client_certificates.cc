#include "net/client_certificates.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <limits>
#include <memory>
#include <string_view>
#include <utility>

#include "base/text.h"

namespace mooring::net {
namespace {

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using CertificatePtr = std::unique_ptr<X509, Deleter<X509_free>>;
using StorePtr = std::unique_ptr<X509_STORE, Deleter<X509_STORE_free>>;
using BioPtr = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using NumberPtr = std::unique_ptr<BIGNUM, Deleter<BN_free>>;
using Digest = std::array<std::uint8_t, 32>;

void free_names(STACK_OF(X509_NAME) * names) {
  sk_X509_NAME_pop_free(names, X509_NAME_free);
}
using NamesPtr = std::unique_ptr<STACK_OF(X509_NAME), Deleter<free_names>>;

int no_password(char*, int, int, void*) {
  return -1;
}

std::string fingerprint(X509* certificate) {
  Digest digest{};
  unsigned size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1) return {};
  return base::to_hex(digest);
}

base::WallMs time_of(const ASN1_TIME* field) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(field, &parts) != 1) return 0;
  return static_cast<base::WallMs>(::timegm(&parts)) * 1000;
}

std::string serial_of(X509* certificate) {
  const NumberPtr number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr));
  if (!number || BN_num_bytes(number.get()) > 32) return {};
  base::Bytes bytes(static_cast<std::size_t>(BN_num_bytes(number.get())));
  BN_bn2bin(number.get(), bytes.data());
  std::string digits = base::to_hex(bytes);
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  if (digits.empty()) digits = "0";
  return BN_is_negative(number.get()) != 0 ? "-" + digits : digits;
}

// ---- what the handshake finds out ----

PeerCertificate judge(X509_STORE_CTX* context) {
  PeerCertificate found;
  X509_VERIFY_PARAM* const rules = X509_STORE_CTX_get0_param(context);
  // The clock is asked at the sign-in, again and again for a session that is resumed.
  X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_NO_CHECK_TIME | X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
  X509_VERIFY_PARAM_set_depth(rules, kMaxIntermediates);
  const bool good = X509_verify_cert(context) == 1;
  STACK_OF(X509)* const chain = X509_STORE_CTX_get0_chain(context);
  const int below = X509_STORE_CTX_get_num_untrusted(context);
  if (!good) {
    found.problem = X509_verify_cert_error_string(X509_STORE_CTX_get_error(context));
    return found;
  }
  if (below < 1 || below >= sk_X509_num(chain)) {
    found.problem = "an authority's own certificate is no device's";
    return found;
  }
  found.valid_until_ms = std::numeric_limits<base::WallMs>::max();
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    X509* const one = sk_X509_value(chain, i);
    found.valid_from_ms = std::max(found.valid_from_ms, time_of(X509_get0_notBefore(one)));
    found.valid_until_ms = std::min(found.valid_until_ms, time_of(X509_get0_notAfter(one)));
    if (i < below) found.chain.push_back(fingerprint(one));
  }
  found.authority = fingerprint(sk_X509_value(chain, below));
  found.issued_serial = serial_of(sk_X509_value(chain, below - 1));
  return found;
}

// ---- as a part of the session: lines of text, without the certificate, which the session has anyway ----

std::string write_finding(const PeerCertificate& found) {
  std::string out = found.problem + '\n' + std::to_string(found.valid_from_ms) + '\n' +
                    std::to_string(found.valid_until_ms) + '\n' + found.authority + '\n' + found.issued_serial;
  for (const std::string& one : found.chain) out += '\n' + one;
  return out;
}

std::string_view take_line(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('\n'), rest.size());
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return line;
}

base::WallMs take_number(std::string_view& rest) {
  const std::string_view line = take_line(rest);
  base::WallMs value = 0;
  std::from_chars(line.data(), line.data() + line.size(), value);
  return value;
}

PeerCertificate read_finding(std::string_view rest) {
  PeerCertificate found;
  found.problem = take_line(rest);
  found.valid_from_ms = take_number(rest);
  found.valid_until_ms = take_number(rest);
  found.authority = take_line(rest);
  found.issued_serial = take_line(rest);
  while (!rest.empty()) found.chain.emplace_back(take_line(rest));
  if (found.problem.empty() && found.chain.empty()) found.problem = "the TLS session does not tell of its chain";
  return found;
}

// Never fails the handshake.
int on_certificate(X509_STORE_CTX* context, void*) {
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx()));
  const std::string finding = write_finding(judge(context));
  SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), finding.data(), finding.size());
  ERR_clear_error();
  X509_STORE_CTX_set_error(context, X509_V_OK);
  return 1;
}

CertificatePtr parse(const std::string& pem) {
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return CertificatePtr(bio ? PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr) : nullptr);
}

}  // namespace

base::Result<> ask_for_certificates(SSL_CTX* context, const std::vector<std::string>& authorities,
                                    std::size_t max_chain_bytes) {
  StorePtr store(X509_STORE_new());
  NamesPtr names(sk_X509_NAME_new_null());
  if (!store || !names) return base::fail(base::Errc::kInternal, "the TLS library cannot keep the authorities");
  std::vector<std::string> all;
  std::size_t name_bytes = 0;
  for (const std::string& pem : authorities) {
    const CertificatePtr certificate = parse(pem);
    X509_NAME* name = certificate ? X509_NAME_dup(X509_get_subject_name(certificate.get())) : nullptr;
    if (name == nullptr || sk_X509_NAME_push(names.get(), name) == 0 ||
        X509_STORE_add_cert(store.get(), certificate.get()) != 1) {
      ERR_clear_error();
      return base::fail(base::Errc::kInvalidArgument, "the certificate of an authority cannot be used");
    }
    name_bytes += static_cast<std::size_t>(std::max(0, i2d_X509_NAME(name, nullptr)));
    all.push_back(fingerprint(certificate.get()));
  }
  if (name_bytes <= kMaxAuthorityListBytes) SSL_CTX_set_client_CA_list(context, names.release());
  SSL_CTX_set0_verify_cert_store(context, store.release());
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(context, on_certificate, nullptr);
  SSL_CTX_set_max_cert_list(context, static_cast<long>(max_chain_bytes));

  std::sort(all.begin(), all.end());
  std::string joined;
  for (const std::string& one : all) joined += one;
  Digest id{};
  unsigned size = 0;
  EVP_Digest(joined.data(), joined.size(), id.data(), &size, EVP_sha256(), nullptr);
  SSL_CTX_set_session_id_context(context, id.data(), size);
  return {};
}

std::optional<PeerCertificate> peer_certificate_of(SSL* ssl) {
  X509* const certificate = SSL_get0_peer_certificate(ssl);
  if (certificate == nullptr) return std::nullopt;
  void* data = nullptr;
  std::size_t bytes = 0;
  SSL_SESSION_get0_ticket_appdata(SSL_get_session(ssl), &data, &bytes);
  PeerCertificate found = read_finding({static_cast<const char*>(data), bytes});
  const int size = i2d_X509(certificate, nullptr);
  if (size <= 0) return std::nullopt;
  found.der.resize(static_cast<std::size_t>(size));
  unsigned char* at = found.der.data();
  i2d_X509(certificate, &at);
  return found;
}

}  // namespace mooring::net
