// Sign-in by client certificate with a registry: what happens when certificates are revoked meanwhile.
#include "auth/certificate_sign_in.h"

#include <gtest/gtest.h>

#include <limits>
#include <optional>

#include "gateway/device_sign_in.h"
#include "registry/tests/inbox.h"
#include "registry/tests/registry_fixture.h"

namespace mooring::gateway {
namespace {

using auth::RefusalReason;
const std::string kPrint(64, '1');
const std::string kAuthority(64, 'a');

using registry::Inbox;

class CertificateSignInTest : public testing::Test {
 protected:
  void SetUp() override {
    auto registry = fixture.open();
    registry::NewProduct product;
    product.product_key = "pk";
    product.auth_type = registry::AuthType::kX509;
    ASSERT_TRUE(registry->create_product(product));
    registry::NewDevice device;
    device.device_name = "dn";
    device.without_secret = true;
    ASSERT_TRUE(registry->create_devices("pk", {{device}}));
    registry::Authority authority;
    authority.fingerprint = kAuthority;
    ASSERT_TRUE(registry->add_authority(authority, 10));
    registry::BoundCertificate bound;
    bound.fingerprint = kPrint;
    bound.device = {"pk", "dn"};
    ASSERT_TRUE(registry->bind_certificate(bound));
    registry_ = registry.get();
    service = std::make_unique<registry::RegistryService>(std::move(registry));
    limiter = std::make_unique<auth::ConnectLimiter>(auth::ConnectLimiter::Limits{0, 0, 0}, fixture.random);
    sign_in = std::make_unique<DeviceSignIn>(*service, *limiter, inbox, fixture.clock, auth::SignInPolicy{});
    service->start();
  }
  void TearDown() override { service->stop(); }

  void begin() {
    auth::PresentedCertificate shown;
    shown.valid_until_ms = std::numeric_limits<base::WallMs>::max();
    shown.chain = {kPrint};
    shown.fingerprint = kPrint;
    shown.authority = kAuthority;
    shown.issued_serial = "01";
    auth::ConnectAttempt attempt;
    attempt.client_id = "c1|securemode=2,signmethod=hmacsha256|";
    attempt.user_name = "dn&pk";
    attempt.password = base::ByteView();
    attempt.keep_alive_s = 60;
    attempt.tls = true;
    attempt.peer_address = "192.0.2.1";
    attempt.certificate = &shown;
    sign_in->authenticate(attempt,
                          [this](tl::expected<SignInResult, auth::Refusal> done) { result.emplace(std::move(done)); });
  }
  void finish() {
    while (!result) {
      base::Task task = inbox.next();
      ASSERT_TRUE(task) << "nothing came";
      task();
    }
  }

  registry::SqliteFixture fixture;
  Inbox inbox;
  registry::Registry* registry_ = nullptr;
  std::unique_ptr<registry::RegistryService> service;
  std::unique_ptr<auth::ConnectLimiter> limiter;
  std::unique_ptr<DeviceSignIn> sign_in;
  std::optional<tl::expected<SignInResult, auth::Refusal>> result;
};

TEST_F(CertificateSignInTest, the_session_knows_the_chain) {
  begin();
  finish();
  ASSERT_TRUE(result->has_value()) << result->error().name;
  ASSERT_NE((*result)->certificate, nullptr);
  EXPECT_EQ((*result)->certificate->chain, std::vector<std::string>{kPrint});
  EXPECT_EQ((*result)->certificate->authority, kAuthority);
  EXPECT_EQ((*result)->certificate->issued_serial, "01");
}

TEST_F(CertificateSignInTest, a_revocation_overtakes_an_answer_that_is_under_way) {
  begin();
  base::Task answer = inbox.next();  // the registry says that it is good
  ASSERT_TRUE(registry_->revoke_certificate(kPrint));
  sign_in->certificates_changed();
  answer();
  finish();
  ASSERT_FALSE(result->has_value());
  EXPECT_EQ(result->error().reason, RefusalReason::kCertificateRevoked);
}

TEST_F(CertificateSignInTest, a_revocation_while_the_device_is_looked_up) {
  begin();
  inbox.next()();  // the certificate is good; now the registry is asked for the device
  ASSERT_FALSE(result);
  base::Task answer = inbox.next();
  sign_in->certificates_changed();
  answer();
  finish();
  ASSERT_FALSE(result->has_value());
  EXPECT_EQ(result->error().reason, RefusalReason::kUnavailable) << "it comes again and is looked at anew";
}

}  // namespace
}  // namespace mooring::gateway
