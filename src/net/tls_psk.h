// Private to the module: TLS-PSK on the server side (RFC 4279), up to TLS 1.2.
//
// OpenSSL asks for a key in a callback that cannot wait, while ours comes from a registry. So the handshake is held
// before the message that names the identity: for clients that offer the suite, the SSL object reads through a gate
// which lets nothing through from ServerHelloDone on until a key was set. Meanwhile the identity is read from the
// socket without taking it; at that point of TLS 1.2 it is not encrypted yet.
//
// An identity that nobody has a key for gets a random one: it ends with the alert of a wrong key.
#pragma once

#include <openssl/ssl.h>

#include <string>
#include <string_view>

#include "base/bytes.h"

namespace mooring::net {

inline constexpr std::size_t kMaxPskIdentityBytes = 256;  // libssl takes no longer ones
inline constexpr std::size_t kMaxPskKeyBytes = 64;

// What a cipher list needs for it.
inline constexpr char kPskCiphers[] = ":PSK-AES128-CBC-SHA";

void offer_psk(SSL_CTX* context);

// The handshake is at the point where the identity is next and no key was set yet.
bool psk_wanted(SSL* ssl);
// The identity that waits in the socket. False: it has not arrived yet. True with an empty identity: what arrived is
// nothing that has one.
bool peek_psk_identity(SSL* ssl, std::string& identity);
// The key of this identity; empty: there is none. The handshake goes on.
void set_psk_key(SSL* ssl, std::string_view identity, base::ByteView key);
// After the handshake: reads from the socket directly again.
void end_psk(SSL* ssl);

}  // namespace mooring::net
