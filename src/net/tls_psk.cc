#include "net/tls_psk.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/assert.h"

namespace mooring::net {
namespace {

// Of a handshake that may become a PSK one; owned by the SSL object.
struct PskState {
  int fd = -1;
  bool answered = false;
  std::string identity;
  std::array<std::uint8_t, kMaxPskKeyBytes> key{};
  std::size_t key_bytes = 0;

  PskState() = default;
  PskState(const PskState&) = delete;
  PskState& operator=(const PskState&) = delete;
  ~PskState() { OPENSSL_cleanse(key.data(), key.size()); }
};

void free_state(void*, void* state, CRYPTO_EX_DATA*, int, long, void*) {
  delete static_cast<PskState*>(state);
}

int state_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, free_state);
  return index;
}

PskState* state_of(const SSL* ssl) {
  return static_cast<PskState*>(SSL_get_ex_data(ssl, state_index()));
}

// ---- the gate: a source BIO on the same socket ----

int read_gate(BIO* bio, char* out, int size) {
  BIO_clear_retry_flags(bio);
  SSL* const ssl = static_cast<SSL*>(BIO_get_data(bio));
  if (psk_wanted(ssl)) {
    BIO_set_retry_read(bio);
    return -1;
  }
  errno = 0;
  const ssize_t got = ::recv(state_of(ssl)->fd, out, static_cast<std::size_t>(size), 0);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) BIO_set_retry_read(bio);
  if (got == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return static_cast<int>(got);
}

long control_gate(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return 0;
}

const BIO_METHOD* gate_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "psk gate");
    MOORING_ASSERT(made != nullptr && BIO_meth_set_read(made, read_gate) == 1 &&
                   BIO_meth_set_ctrl(made, control_gate) == 1);
    return made;
  }();
  return method;
}

// ---- callbacks of the context ----

bool offers_psk(SSL* ssl) {
  constexpr unsigned char kSuite[] = {0x00, 0x8C};  // TLS_PSK_WITH_AES_128_CBC_SHA
  const unsigned char* suites = nullptr;
  const std::size_t bytes = SSL_client_hello_get0_ciphers(ssl, &suites);
  for (std::size_t at = 0; at + 1 < bytes; at += 2) {
    if (std::memcmp(suites + at, kSuite, 2) == 0) return true;
  }
  return false;
}

int on_client_hello(SSL* ssl, int*, void*) {
  if (state_of(ssl) != nullptr || !offers_psk(ssl)) return SSL_CLIENT_HELLO_SUCCESS;
  BIO* gate = BIO_new(gate_method());
  auto* state = new PskState;
  state->fd = SSL_get_wfd(ssl);
  if (gate == nullptr || SSL_set_ex_data(ssl, state_index(), state) != 1) {
    delete state;
    BIO_free(gate);
    return SSL_CLIENT_HELLO_SUCCESS;  // without a key it fails later
  }
  BIO_set_data(gate, ssl);
  BIO_set_init(gate, 1);
  SSL_set0_rbio(ssl, gate);
  return SSL_CLIENT_HELLO_SUCCESS;
}

unsigned on_psk(SSL* ssl, const char* identity, unsigned char* key, unsigned max_bytes) {
  if (SSL_version(ssl) > TLS1_2_VERSION) return 0;  // TLS 1.3 shows its session tickets here
  const PskState* state = state_of(ssl);
  if (state != nullptr && state->key_bytes > 0 && state->key_bytes <= max_bytes && state->identity == identity) {
    std::memcpy(key, state->key.data(), state->key_bytes);
    return static_cast<unsigned>(state->key_bytes);
  }
  const unsigned bytes = std::min<unsigned>(max_bytes, kMaxPskKeyBytes);
  return RAND_bytes(key, static_cast<int>(bytes)) == 1 ? bytes : 0;
}

std::size_t number(const std::uint8_t* at, int bytes) {
  std::size_t value = 0;
  for (int i = 0; i < bytes; ++i) value = value << 8 | at[i];
  return value;
}

}  // namespace

void offer_psk(SSL_CTX* context) {
  SSL_CTX_set_client_hello_cb(context, on_client_hello, nullptr);
  SSL_CTX_set_psk_server_callback(context, on_psk);
}

bool psk_wanted(SSL* ssl) {
  if (SSL_get_state(ssl) != TLS_ST_SW_SRVR_DONE) return false;
  const PskState* state = state_of(ssl);
  if (state == nullptr || state->answered) return false;
  const SSL_CIPHER* cipher = SSL_get_pending_cipher(ssl);
  return cipher != nullptr && SSL_CIPHER_get_kx_nid(cipher) == NID_kx_psk;
}

// record: type 22, version, length; message: 16 (ClientKeyExchange), length of 3 bytes; identity: length of 2 bytes.
bool peek_psk_identity(SSL* ssl, std::string& identity) {
  constexpr std::size_t kHeadBytes = 11;
  identity.clear();
  std::array<std::uint8_t, kHeadBytes + kMaxPskIdentityBytes> first{};
  const ssize_t got = ::recv(state_of(ssl)->fd, first.data(), first.size(), MSG_PEEK);
  if (got < 0) return false;
  const auto bytes = static_cast<std::size_t>(got);
  if (bytes == 0 || first[0] != 22) return true;  // the end, or an alert
  if (bytes < kHeadBytes) return false;
  const std::size_t record = number(&first[3], 2);
  const std::size_t message = number(&first[6], 3);
  const std::size_t length = number(&first[9], 2);
  if (first[5] != 16 || message + 4 != record || length + 2 != message || length > kMaxPskIdentityBytes) return true;
  if (bytes < kHeadBytes + length) return false;
  identity.assign(reinterpret_cast<const char*>(first.data()) + kHeadBytes, length);
  return true;
}

void set_psk_key(SSL* ssl, std::string_view identity, base::ByteView key) {
  PskState* state = state_of(ssl);
  MOORING_ASSERT(state != nullptr && key.size() <= kMaxPskKeyBytes);
  state->answered = true;
  state->identity = identity;
  state->key_bytes = key.size();
  std::copy(key.begin(), key.end(), state->key.begin());
}

void end_psk(SSL* ssl) {
  PskState* state = state_of(ssl);
  if (state == nullptr) return;
  SSL_set_rfd(ssl, state->fd);
  delete state;
  SSL_set_ex_data(ssl, state_index(), nullptr);
}

}  // namespace mooring::net
