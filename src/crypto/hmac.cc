#include "crypto/hmac.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

#include <algorithm>
#include <memory>

#include "base/assert.h"
#include "base/text.h"

namespace mooring::crypto {
namespace {

constexpr std::size_t kBlockBytes = 64;  // of all three hashes
using Block = std::array<std::uint8_t, kBlockBytes>;

struct MdContextFree {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

// The three hashes, fetched once. A library context of its own keeps them independent of openssl.cnf, which may switch
// MD5 off for TLS and certificates.
class Hashes {
 public:
  Hashes() {
    OSSL_LIB_CTX* library = OSSL_LIB_CTX_new();
    MOORING_ASSERT(library != nullptr);
    MOORING_ASSERT(OSSL_PROVIDER_load(library, "default") != nullptr);
    constexpr const char* kNames[] = {"MD5", "SHA1", "SHA256"};
    for (std::size_t i = 0; i < hashes_.size(); ++i) {
      hashes_[i] = EVP_MD_fetch(library, kNames[i], nullptr);
      MOORING_ASSERT(hashes_[i] != nullptr);
    }
  }
  const EVP_MD* get(HmacMethod method) const { return hashes_[static_cast<std::size_t>(method)]; }

 private:
  std::array<EVP_MD*, 3> hashes_{};
};

const Hashes& hashes() {
  static const Hashes* const instance = new Hashes;  // never freed: threads may outlive static destruction
  return *instance;
}

// One reusable digest state per thread and method: initialising it again for the same hash allocates nothing.
EVP_MD_CTX* digest_context(HmacMethod method) {
  thread_local std::array<std::unique_ptr<EVP_MD_CTX, MdContextFree>, 3> contexts;
  auto& context = contexts[static_cast<std::size_t>(method)];
  if (!context) context.reset(EVP_MD_CTX_new());
  MOORING_ASSERT(context != nullptr);
  return context.get();
}

class Digest {
 public:
  explicit Digest(HmacMethod method) : context_(digest_context(method)), hash_(hashes().get(method)) {}

  void start() { MOORING_ASSERT(EVP_DigestInit_ex2(context_, hash_, nullptr) == 1); }
  void add(const void* data, std::size_t size) { MOORING_ASSERT(EVP_DigestUpdate(context_, data, size) == 1); }
  std::uint8_t finish(std::uint8_t* out) {
    unsigned size = 0;
    MOORING_ASSERT(EVP_DigestFinal_ex(context_, out, &size) == 1);
    return static_cast<std::uint8_t>(size);
  }

 private:
  EVP_MD_CTX* context_;
  const EVP_MD* hash_;
};

// The key brought to one block (RFC 2104 section 2).
Block key_block(Digest& digest, std::string_view key) {
  Block block{};
  if (key.size() > kBlockBytes) {
    digest.start();
    digest.add(key.data(), key.size());
    digest.finish(block.data());
  } else {
    std::copy(key.begin(), key.end(), block.begin());
  }
  return block;
}

void start_padded(Digest& digest, const Block& key, std::uint8_t pad) {
  Block padded;
  std::transform(key.begin(), key.end(), padded.begin(), [pad](std::uint8_t b) { return b ^ pad; });
  digest.start();
  digest.add(padded.data(), padded.size());
  OPENSSL_cleanse(padded.data(), padded.size());
}

}  // namespace

std::optional<HmacMethod> parse_hmac_method(std::string_view name) {
  if (base::iequals(name, "hmacmd5")) return HmacMethod::kMd5;
  if (base::iequals(name, "hmacsha1")) return HmacMethod::kSha1;
  if (base::iequals(name, "hmacsha256") || base::iequals(name, "sha256")) return HmacMethod::kSha256;
  return std::nullopt;
}

std::string_view name(HmacMethod method) {
  switch (method) {
    case HmacMethod::kMd5:
      return "hmacmd5";
    case HmacMethod::kSha1:
      return "hmacsha1";
    case HmacMethod::kSha256:
      return "hmacsha256";
  }
  return {};
}

Mac hmac(HmacMethod method, std::string_view key, std::initializer_list<std::string_view> parts) {
  Digest digest(method);
  Block block = key_block(digest, key);
  Mac mac;
  start_padded(digest, block, 0x36);
  for (const std::string_view part : parts) digest.add(part.data(), part.size());
  mac.size_bytes = digest.finish(mac.bytes.data());
  start_padded(digest, block, 0x5C);
  digest.add(mac.bytes.data(), mac.size_bytes);
  digest.finish(mac.bytes.data());
  OPENSSL_cleanse(block.data(), block.size());
  return mac;
}

bool constant_time_equal(base::ByteView a, base::ByteView b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void cleanse(base::MutableBytes bytes) {
  OPENSSL_cleanse(bytes.data(), bytes.size());
}
void cleanse(std::string& text) {
  OPENSSL_cleanse(text.data(), text.size());
}

}  // namespace mooring::crypto
