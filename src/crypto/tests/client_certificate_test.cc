#include "crypto/client_certificate.h"

#include <gtest/gtest.h>

#include "base/clock.h"
#include "crypto/certificate.h"

namespace mooring::crypto {
namespace {

struct Pair {
  CertificatePair root;
  std::string leaf;
};

const Pair& made() {
  static const Pair pair = [] {
    Pair out;
    const base::WallMs now = base::system_clock().wall_ms();
    out.root.key_pem = *make_private_key(KeyType::kEcdsaP256);
    out.root.certificate_pem = *make_root_certificate(out.root.key_pem, now);
    out.leaf = *make_server_certificate(*make_private_key(KeyType::kEcdsaP256), *parse_server_names({"dev001"}),
                                        out.root, now);
    return out;
  }();
  return pair;
}

TEST(ClientCertificate, fields) {
  const auto leaf = read_device_certificate_pem(made().leaf);
  ASSERT_TRUE(leaf);
  EXPECT_EQ(leaf->common_name, "dev001");
  EXPECT_EQ(leaf->organizational_unit, "");
  EXPECT_EQ(leaf->subject, "CN = dev001");
  EXPECT_EQ(leaf->fingerprint.size(), 64U);
  EXPECT_EQ(parse_fingerprint(parse_certificate(made().leaf)->sha256_fingerprint), leaf->fingerprint);
  EXPECT_LT(leaf->not_before_ms, leaf->not_after_ms);
  EXPECT_EQ(parse_serial(leaf->serial), leaf->serial);
}

TEST(ClientCertificate, no_certificate) {
  for (const std::string& wrong : {std::string(), std::string("hello"), std::string("-----BEGIN CERTIFICATE-----\n"),
                                   made().root.key_pem, std::string(kMaxCertificateBytes + 1, 'x')}) {
    EXPECT_FALSE(read_device_certificate_pem(wrong));
    EXPECT_FALSE(read_private_authority(wrong));
  }
  EXPECT_FALSE(read_device_certificate({}));
  EXPECT_FALSE(read_device_certificate(base::as_bytes("\x30\x82\xff\xff")));
}

TEST(ClientCertificate, an_authority_must_be_one) {
  const auto root = read_private_authority(made().root.certificate_pem);
  ASSERT_TRUE(root);
  EXPECT_EQ(root->pem, made().root.certificate_pem);
  const auto leaf = read_private_authority(made().leaf);
  ASSERT_FALSE(leaf);
  EXPECT_NE(leaf.error().message.find("CA:TRUE"), std::string::npos);
}

TEST(ClientCertificate, no_revocation_list) {
  EXPECT_FALSE(read_revocation_list("", made().root.certificate_pem));
  EXPECT_FALSE(read_revocation_list(made().leaf, made().root.certificate_pem));
}

TEST(ClientCertificate, fingerprints_and_serials_as_people_write_them) {
  EXPECT_EQ(parse_fingerprint(std::string(64, 'A')), std::string(64, 'a'));
  EXPECT_FALSE(parse_fingerprint(std::string(63, 'a')));
  EXPECT_FALSE(parse_fingerprint(std::string(64, 'g')));
  EXPECT_FALSE(parse_fingerprint(""));
  EXPECT_EQ(parse_serial("0x00:1A:2b"), "1a2b");
  EXPECT_EQ(parse_serial("000"), "0");
  for (const char* wrong : {"", "xyz", "-", "12 34"}) EXPECT_FALSE(parse_serial(wrong)) << wrong;
  EXPECT_FALSE(parse_serial(std::string(65, '1')));
}

}  // namespace
}  // namespace mooring::crypto
