#include "ws/accept_key.h"

#include <openssl/evp.h>
#include <array>

#include "base/assert.h"

namespace mooring::ws {
namespace {

constexpr std::size_t kSha1Bytes = 20;
constexpr std::string_view kProtocolGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

// Fetched once and never freed: EVP_sha1() is looked up again with every digest, which costs more than the digest.
const EVP_MD* sha1() {
  static const EVP_MD* const hash = EVP_MD_fetch(nullptr, "SHA1", nullptr);
  MOORING_ASSERT(hash != nullptr);
  return hash;
}

}  // namespace

std::string to_base64(base::ByteView bytes) {
  // EVP_EncodeBlock writes a terminating zero as well.
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes.data(), static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

std::string accept_key_for(std::string_view key) {
  std::string text(key);
  text += kProtocolGuid;
  std::array<std::uint8_t, kSha1Bytes> digest{};
  unsigned int size = 0;
  const int done = EVP_Digest(text.data(), text.size(), digest.data(), &size, sha1(), nullptr);
  MOORING_ASSERT(done == 1 && size == digest.size());
  return to_base64(digest);
}

}  // namespace mooring::ws
