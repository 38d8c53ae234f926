#include "net/tls_context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "base/assert.h"
#include "net/client_certificates.h"
#include "net/tls_psk.h"

namespace mooring::net {
namespace {

// Forward secrecy first; ECDHE with CBC for older clients.
constexpr char kModernCiphers[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:"
    "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA";
// RSA key exchange, for firmware that knows nothing else.
constexpr char kLegacyCiphers[] =
    ":AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA256:AES256-SHA256:AES128-SHA:AES256-SHA";

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct FreeX509 {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

std::unique_ptr<BIO, FreeBio> reader(const std::string& pem) {
  return std::unique_ptr<BIO, FreeBio>(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

// Never asks the terminal for a pass phrase.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

base::Result<> use_pair(SSL_CTX* context, const CertificatePair& pair) {
  const auto chain = reader(pair.certificate_pem);
  const std::unique_ptr<X509, FreeX509> leaf(PEM_read_bio_X509(chain.get(), nullptr, no_passphrase, nullptr));
  if (leaf == nullptr) return base::fail(base::Errc::kInvalidArgument, "the certificate file holds no PEM certificate");
  if (SSL_CTX_use_certificate(context, leaf.get()) != 1) {
    return base::fail(base::Errc::kInvalidArgument, "the certificate cannot be used for TLS");
  }
  while (X509* next = PEM_read_bio_X509(chain.get(), nullptr, no_passphrase, nullptr)) {
    if (SSL_CTX_add0_chain_cert(context, next) != 1) {
      X509_free(next);
      return base::fail(base::Errc::kInvalidArgument, "an intermediate certificate cannot be used");
    }
  }
  ERR_clear_error();  // the end of the file is reported as an error
  const auto key_reader = reader(pair.key_pem);
  const std::unique_ptr<EVP_PKEY, FreeKey> key(
      PEM_read_bio_PrivateKey(key_reader.get(), nullptr, no_passphrase, nullptr));
  if (key == nullptr) {
    return base::fail(base::Errc::kInvalidArgument, "the key file holds no PEM private key without a pass phrase");
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    return base::fail(base::Errc::kInvalidArgument, "the private key does not belong to the certificate");
  }
  return {};
}

int native_version(TlsVersion version) {
  switch (version) {
    case TlsVersion::k10:
      return TLS1_VERSION;
    case TlsVersion::k11:
      return TLS1_1_VERSION;
    case TlsVersion::k12:
      return TLS1_2_VERSION;
    case TlsVersion::k13:
      return TLS1_3_VERSION;
  }
  return TLS1_2_VERSION;
}

void apply_rules(SSL_CTX* context, const TlsOptions& options) {
  // TLS 1.0 and 1.1 sign with SHA-1, which OpenSSL allows at security level 0 only.
  SSL_CTX_set_security_level(context, options.minimum < TlsVersion::k12 ? 0 : 1);
  SSL_CTX_set_min_proto_version(context, native_version(options.minimum));
  std::string ciphers = kModernCiphers;
  if (options.legacy) ciphers += kLegacyCiphers;
  if (options.legacy && options.psk) {
    ciphers += kPskCiphers;
    offer_psk(context);
  }
  MOORING_ASSERT(SSL_CTX_set_cipher_list(context, ciphers.c_str()) == 1);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                   SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context,
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_dh_auto(context, 0);
  SSL_CTX_set_read_ahead(context, 1);  // a record in one recv(), not its header and then its body
}

void enable_tickets(SSL_CTX* context, TicketKeys keys) {
  static constexpr unsigned char kContextId[] = "mooring";
  SSL_CTX_set_session_id_context(context, kContextId, sizeof kContextId - 1);
  // Tickets only: a server-side cache would cost memory per client and a lock per handshake.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 1);
  SSL_CTX_set_tlsext_ticket_keys(context, keys.data(), keys.size());
}

}  // namespace

void TlsContext::Free::operator()(ssl_ctx_st* context) const {
  SSL_CTX_free(context);
}

TicketKeys TlsContext::random_ticket_keys() {
  TicketKeys keys;
  MOORING_ASSERT(RAND_bytes(keys.data(), static_cast<int>(keys.size())) == 1);
  return keys;
}

base::Result<std::shared_ptr<const TlsContext>> TlsContext::create(const TlsOptions& options) {
  SSL_CTX* native = SSL_CTX_new(TLS_server_method());
  if (native == nullptr) return base::fail(base::Errc::kInternal, "the TLS library cannot make a context");
  std::shared_ptr<const TlsContext> context(new TlsContext(native));
  apply_rules(native, options);
  enable_tickets(native, options.ticket_keys);
  for (const CertificatePair& pair : options.certificates) {
    if (auto used = use_pair(native, pair); !used) return tl::unexpected(used.error());
  }
  if (!options.client_authorities.empty()) {
    auto asked = ask_for_certificates(native, options.client_authorities, options.client_chain_bytes);
    if (!asked) return tl::unexpected(asked.error());
  }
  return context;
}

}  // namespace mooring::net
