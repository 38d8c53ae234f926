#include "auth/certificate_sign_in.h"

#include <gtest/gtest.h>

namespace mooring::auth {
namespace {

constexpr base::WallMs kNow = 1'700'000'000'000;

struct Fixture {
  std::string user_name = "dn&pk";
  std::string client_id = "x1|securemode=2,signmethod=hmacsha256|";
  bool sends_certificate = true;
  PresentedCertificate shown;
  CertificateRecord record{true, false, base::DeviceKey{"pk", "dn"}};
  CredentialRecord credential;
  bool identified = false;

  Fixture() {
    shown.chain = {"leaf"};
    shown.valid_from_ms = kNow - 1000;
    shown.valid_until_ms = kNow + 1000;
  }

  // How the sign-in ends; nothing: well.
  std::optional<RefusalReason> reason(base::WallMs now_ms = kNow) {
    ConnectAttempt attempt;
    attempt.client_id = client_id;
    attempt.user_name = user_name;
    attempt.password = base::ByteView();
    attempt.keep_alive_s = 60;
    attempt.tls = true;
    if (sends_certificate) attempt.certificate = &shown;
    auto pending = begin(attempt, {});
    if (!pending) return pending.error().reason;
    if (const auto refused = check_certificate(shown, record, *pending, now_ms)) return refused;
    EXPECT_EQ(pending->device, (base::DeviceKey{"pk", "dn"}));
    const auto done = finish(std::move(*pending), {}, &credential);
    if (!done) return done.error().reason;
    identified = done->identifies;
    return std::nullopt;
  }
};

TEST(CertificateSignIn, AsItself) {
  Fixture f;
  EXPECT_EQ(f.reason(), std::nullopt);
  EXPECT_FALSE(f.identified);
}

TEST(CertificateSignIn, AskingWhoItIs) {
  Fixture f;
  f.user_name = "&";
  f.client_id = ".|securemode=2,signmethod=hmacsha256|";
  EXPECT_EQ(f.reason(), std::nullopt);
  EXPECT_TRUE(f.identified);
}

TEST(CertificateSignIn, WithoutCertificate) {
  Fixture f;
  f.sends_certificate = false;
  EXPECT_EQ(f.reason(), RefusalReason::kCertificateMissing);
  f.user_name = "&";
  EXPECT_EQ(f.reason(), RefusalReason::kCertificateMissing);
}

TEST(CertificateSignIn, EveryRefusal) {
  Fixture f;
  f.record.device.reset();
  EXPECT_EQ(f.reason(), RefusalReason::kCertificateUnbound);
  f.record.device = base::DeviceKey{"pk", "other"};
  EXPECT_EQ(f.reason(), RefusalReason::kCertificateOfOtherDevice);
  f.record.authority_known = false;
  EXPECT_EQ(f.reason(), RefusalReason::kCertificateUntrusted);
  EXPECT_EQ(f.reason(kNow - 1001), RefusalReason::kCertificateNotYetValid);
  EXPECT_EQ(f.reason(kNow + 1001), RefusalReason::kCertificateExpired);
  f.record.revoked = true;
  EXPECT_EQ(f.reason(kNow + 1001), RefusalReason::kCertificateRevoked);
  f.shown.problem = "self-signed certificate";
  EXPECT_EQ(f.reason(), RefusalReason::kCertificateUntrusted);
  for (const auto reason :
       {RefusalReason::kCertificateUnbound, RefusalReason::kCertificateOfOtherDevice,
        RefusalReason::kCertificateUntrusted, RefusalReason::kCertificateNotYetValid,
        RefusalReason::kCertificateExpired, RefusalReason::kCertificateRevoked, RefusalReason::kCertificateRequired}) {
    EXPECT_EQ(Refusal::of(reason).connack_v3, 4);
    EXPECT_EQ(Refusal::of(reason).reason_v5, 0x86);
  }
}

TEST(CertificateSignIn, OtherRowsStillCount) {
  Fixture f;
  f.credential.disabled = true;
  EXPECT_EQ(f.reason(), RefusalReason::kDeviceDisabled);
  f.client_id = "|securemode=2|";
  EXPECT_EQ(f.reason(), RefusalReason::kDeviceDisabled)
      << "connection.md 4.5 row 7: the base client id may be empty with X.509";
  f.client_id = "x1|securemode=8,authtype=id2|";
  EXPECT_EQ(f.reason(), RefusalReason::kId2Unavailable);
  f.client_id = "x1|securemode=99|";
  EXPECT_EQ(f.reason(), RefusalReason::kSecureModeUnknown);
}

TEST(CertificateSignIn, ASignatureDoesNotReplaceTheCertificate) {
  CredentialRecord record;
  record.kind = CredentialRecord::Kind::kX509;
  record.device_secret = "secret";
  ConnectAttempt attempt;
  attempt.client_id = "c1";
  attempt.user_name = "dn&pk";
  attempt.password = base::as_bytes("00");
  attempt.keep_alive_s = 60;
  auto pending = begin(attempt, {});
  ASSERT_TRUE(pending);
  EXPECT_EQ(finish(std::move(*pending), {}, &record).error().reason, RefusalReason::kCertificateRequired);
}

}  // namespace
}  // namespace mooring::auth
