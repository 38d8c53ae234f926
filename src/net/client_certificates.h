// Private to the module: asks TLS clients for certificates of private authorities.
#pragma once

#include <openssl/ssl.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/peer_certificate.h"

namespace mooring::net {

// A chain has at most so many certificates between the client's and the authority.
inline constexpr int kMaxIntermediates = 3;
// Names of authorities go to every client that is asked, and some have small buffers: longer lists are left out.
inline constexpr std::size_t kMaxAuthorityListBytes = 2048;

// PEM texts, each with one certificate; not empty. Sessions made under other authorities are not resumed with this
// context, so that what a session knows of its client's chain fits the authorities there are.
base::Result<> ask_for_certificates(SSL_CTX* context, const std::vector<std::string>& authorities,
                                    std::size_t max_chain_bytes);

// After the handshake; nothing: the client sent none.
std::optional<PeerCertificate> peer_certificate_of(SSL* ssl);

}  // namespace mooring::net
