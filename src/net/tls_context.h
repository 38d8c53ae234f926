// TlsContext: certificates and rules for the TLS side of a listener; immutable, shared by all connections made with it.
// Replacing certificates means making a new one: connections keep the context they began with.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

struct ssl_ctx_st;

namespace mooring::net {

struct CertificatePair {
  std::string certificate_pem;  // leaf first, then intermediates
  std::string key_pem;          // secret
};

enum class TlsVersion : std::uint8_t { k10, k11, k12, k13 };

// Encrypts session tickets. Kept over a reload so that clients can still resume. Secret.
using TicketKeys = std::array<std::uint8_t, 80>;

struct TlsOptions {
  std::vector<CertificatePair> certificates;  // one per key type at most: RSA and ECDSA
  TlsVersion minimum = TlsVersion::k12;
  bool legacy = true;  // also RSA key exchange and CBC, for firmware of small TLS libraries (connection.md 2.4)
  bool psk = false;  // with `legacy`: also TLS-PSK up to TLS 1.2, for firmware without certificates (connection.md 2.5)
  // PEM certificates of the private authorities whose clients are asked for a certificate (net/peer_certificate.h).
  // Empty: nobody is asked.
  std::vector<std::string> client_authorities;
  std::size_t client_chain_bytes = 16 * 1024;  // the handshake fails for longer chains
  TicketKeys ticket_keys{};
};

class TlsContext {
 public:
  // Fails when a certificate or key cannot be parsed or they do not match; the message names which.
  static base::Result<std::shared_ptr<const TlsContext>> create(const TlsOptions& options);
  static TicketKeys random_ticket_keys();
  ssl_ctx_st* native() const { return context_.get(); }

 private:
  struct Free {
    void operator()(ssl_ctx_st* context) const;
  };
  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
  std::unique_ptr<ssl_ctx_st, Free> context_;
};

}  // namespace mooring::net
