#include "crypto/certificate.h"

#include <gtest/gtest.h>

namespace mooring::crypto {
namespace {

constexpr base::WallMs kDayMs = 86'400'000;
constexpr base::WallMs kNow = 1'800'000'000'000;  // in 2027

// Made once: RSA keys are slow.
struct Made {
  CertificatePair root;
  CertificatePair rsa;
  CertificatePair ecdsa;
  ServerNames names;
};

CertificatePair make_pair(KeyType type, const ServerNames& names, const CertificatePair& root) {
  const auto key = make_private_key(type);
  const auto certificate = make_server_certificate(*key, names, root, kNow);
  EXPECT_TRUE(certificate) << (certificate ? "" : certificate.error().message);
  return {*certificate, *key};
}

const Made& made() {
  static const Made instance = [] {
    Made m;
    m.root.key_pem = *make_private_key(KeyType::kRsa2048);
    m.root.certificate_pem = *make_root_certificate(m.root.key_pem, kNow);
    m.names = *parse_server_names({"iot.example.org", "*.iot-as-mqtt.example", "192.0.2.7", "::1"});
    m.rsa = make_pair(KeyType::kRsa2048, m.names, m.root);
    m.ecdsa = make_pair(KeyType::kEcdsaP256, m.names, m.root);
    return m;
  }();
  return instance;
}

TEST(Certificate, RootIsALongLivedAuthority) {
  const auto info = parse_certificate(made().root.certificate_pem);
  ASSERT_TRUE(info);
  EXPECT_TRUE(info->is_authority);
  EXPECT_EQ(info->subject.find("CN = Mooring Root CA "), 0U) << info->subject;
  EXPECT_EQ(info->not_before_ms, kNow - kDayMs);
  EXPECT_GT(info->not_after_ms, kNow + 19 * 365 * kDayMs);
  EXPECT_TRUE(check_key_matches(made().root.certificate_pem, made().root.key_pem));
  EXPECT_TRUE(check_issued_by(made().root.certificate_pem, made().root.certificate_pem));
}

TEST(Certificate, ServerCertificatesCarryNamesDatesAndSignature) {
  for (const CertificatePair& pair : {made().rsa, made().ecdsa}) {
    const auto info = parse_certificate(pair.certificate_pem);
    ASSERT_TRUE(info);
    EXPECT_FALSE(info->is_authority);
    EXPECT_EQ(info->dns_names, made().names.dns_names);
    EXPECT_EQ(info->ip_addresses, made().names.ip_addresses);
    EXPECT_EQ(info->not_before_ms, kNow - kDayMs);
    EXPECT_EQ(info->not_after_ms, kNow + 397 * kDayMs);
    EXPECT_TRUE(check_key_matches(pair.certificate_pem, pair.key_pem));
    EXPECT_TRUE(check_issued_by(pair.certificate_pem, made().root.certificate_pem));
    EXPECT_FALSE(check_issued_by(pair.certificate_pem, pair.certificate_pem));
  }
  EXPECT_FALSE(check_key_matches(made().rsa.certificate_pem, made().ecdsa.key_pem));
  EXPECT_FALSE(check_key_matches(made().rsa.certificate_pem, made().root.key_pem));
}

TEST(Certificate, Fingerprint) {
  const std::string print = parse_certificate(made().root.certificate_pem)->sha256_fingerprint;
  ASSERT_EQ(print.size(), 32U * 3 - 1);
  for (std::size_t i = 2; i < print.size(); i += 3) EXPECT_EQ(print[i], ':');
  EXPECT_EQ(print.find_first_not_of("0123456789ABCDEF:"), std::string::npos);
  EXPECT_NE(print, parse_certificate(made().rsa.certificate_pem)->sha256_fingerprint);
}

TEST(Certificate, NeverOutlivesTheRoot) {
  const base::WallMs root_end_ms = parse_certificate(made().root.certificate_pem)->not_after_ms;
  const auto late = make_server_certificate(made().rsa.key_pem, made().names, made().root, root_end_ms - 5 * kDayMs);
  ASSERT_TRUE(late);
  EXPECT_EQ(parse_certificate(*late)->not_after_ms, root_end_ms);
  EXPECT_FALSE(make_server_certificate(made().rsa.key_pem, made().names, made().root, root_end_ms));
}

TEST(Certificate, RefusesWhatItCannotRead) {
  for (const std::string& text : {std::string(), std::string("hello"), made().rsa.key_pem}) {
    const auto info = parse_certificate(text);
    ASSERT_FALSE(info);
    EXPECT_EQ(info.error().code, base::Errc::kInvalidArgument);
  }
  EXPECT_FALSE(check_key_matches(made().rsa.certificate_pem, "no key"));
  EXPECT_FALSE(check_key_matches("no certificate", made().rsa.key_pem));
  EXPECT_FALSE(make_root_certificate("no key", kNow));
  EXPECT_FALSE(make_server_certificate(made().rsa.key_pem, {}, made().root, kNow));
}

TEST(ServerNames, SortsNamesAndAddresses) {
  const auto names = parse_server_names({"B.example", "a.example", "b.EXAMPLE", "[2001:DB8::0:1]", "127.0.0.1", "::1"});
  ASSERT_TRUE(names);
  EXPECT_EQ(names->dns_names, (std::vector<std::string>{"a.example", "b.example"}));
  EXPECT_EQ(names->ip_addresses, (std::vector<std::string>{"127.0.0.1", "2001:db8::1", "::1"}));
}

TEST(ServerNames, RefusesOthers) {
  for (const char* name : {"", "a..b", "-a", "a-", "a b", "a,DNS:b", "*", "a.*.b", "h\xC3\xA4us.example", "x/y"}) {
    const auto names = parse_server_names({"ok.example", name});
    ASSERT_FALSE(names) << name;
    EXPECT_EQ(names.error().code, base::Errc::kInvalidArgument);
  }
  EXPECT_FALSE(parse_server_names({}));
  EXPECT_FALSE(parse_server_names({std::string(64, 'x')}));
  EXPECT_EQ(parse_server_names(std::vector<std::string>(kMaxServerNames + 1, "a")).error().code,
            base::Errc::kLimitExceeded);
}

TEST(Certificate, LongNamesStayOutOfTheCommonName) {
  const std::string name = std::string(60, 'x') + ".example.org";
  const auto names = parse_server_names({name});
  const auto certificate = make_server_certificate(made().ecdsa.key_pem, *names, made().root, kNow);
  ASSERT_TRUE(certificate);
  EXPECT_EQ(parse_certificate(*certificate)->subject, "CN = Mooring server");
  EXPECT_EQ(parse_certificate(*certificate)->dns_names, std::vector<std::string>{name});
}

}  // namespace
}  // namespace mooring::crypto
