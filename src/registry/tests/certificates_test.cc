// X.509 in the registry: authorities, bindings, revocations, and which device a certificate becomes at first use.
#include "registry/certificates.h"

#include <gtest/gtest.h>

#include "registry/tests/registry_fixture.h"

namespace mooring::registry {
namespace {

std::string print_of(char digit) {
  return std::string(64, digit);
}

class Certificates : public ::testing::Test {
 protected:
  void SetUp() override {
    registry = fixture.open();
    registry->set_change_listener([this](std::span<const Change> told) {
      for (const Change& change : told) changes.push_back(change);
    });
    NewProduct product;
    product.product_key = "pk";
    product.auth_type = AuthType::kX509;
    ASSERT_TRUE(registry->create_product(product));
    NewDevice device;
    device.device_name = "dn";
    device.without_secret = true;
    ASSERT_TRUE(registry->create_devices("pk", {{device}}));
  }

  Authority authority(char digit, std::string product_key = {}) {
    Authority made;
    made.fingerprint = print_of(digit);
    made.certificate_pem = "pem";
    made.subject = "CN = authority";
    made.product_key = std::move(product_key);
    made.not_after_ms = 2'000'000'000'000;
    return made;
  }
  PresentedChain shown(char digit = '1') {
    PresentedChain chain;
    chain.chain = {print_of(digit)};
    chain.authority = print_of('a');
    chain.issued_serial = std::string("0") + digit;
    chain.subject = "CN = dn";
    chain.common_name = "dn";
    chain.organizational_unit = "pk";
    chain.not_after_ms = 1'900'000'000'000;
    return chain;
  }
  void first_use(FirstUse rule, AuthType type = AuthType::kX509) {
    ProductChange change;
    change.first_use = rule;
    change.auth_type = type;
    ASSERT_TRUE(registry->update_product("pk", change));
  }
  void bind(char digit, base::DeviceKey key = {"pk", "dn"}) {
    BoundCertificate wanted;
    wanted.fingerprint = print_of(digit);
    wanted.device = std::move(key);
    ASSERT_TRUE(registry->bind_certificate(wanted));
  }
  bool told(Change::Kind kind) const {
    return std::any_of(changes.begin(), changes.end(), [kind](const Change& change) { return change.kind == kind; });
  }

  SqliteFixture fixture;
  std::unique_ptr<Registry> registry;
  std::vector<Change> changes;
};

TEST_F(Certificates, authorities_are_distinct_bounded_and_in_order) {
  for (char digit = 'a'; digit < 'a' + static_cast<int>(kAuthoritiesMax); ++digit) {
    ASSERT_TRUE(registry->add_authority(authority(digit))) << digit;
    fixture.clock.now_ms += 1;
  }
  EXPECT_EQ(registry->add_authority(authority('a')).error().code, base::Errc::kAlreadyExists);
  EXPECT_EQ(registry->add_authority(authority('z')).error().code, base::Errc::kLimitExceeded);
  const auto all = registry->list_authorities();
  ASSERT_TRUE(all);
  EXPECT_EQ(all->size(), kAuthoritiesMax);
  EXPECT_EQ(all->front().fingerprint, print_of('a'));
  EXPECT_TRUE(registry->remove_authority(print_of('a')));
  EXPECT_EQ(registry->remove_authority(print_of('a')).error().code, base::Errc::kNotFound);
  EXPECT_TRUE(told(Change::Kind::kAuthoritiesChanged));
}

TEST_F(Certificates, an_authority_is_not_made_for_a_product_that_is_not_there) {
  EXPECT_EQ(registry->add_authority(authority('a', "nothing")).error().code, base::Errc::kNotFound);
}

TEST_F(Certificates, a_certificate_belongs_to_one_device) {
  bind('1');
  bind('1');
  NewDevice other;
  other.device_name = "other";
  ASSERT_TRUE(registry->create_devices("pk", {{other}}));
  BoundCertificate wanted;
  wanted.fingerprint = print_of('1');
  wanted.device = {"pk", "other"};
  EXPECT_EQ(registry->bind_certificate(wanted).error().code, base::Errc::kAlreadyExists);
  wanted.device = {"pk", "nobody"};
  EXPECT_EQ(registry->bind_certificate(wanted).error().code, base::Errc::kNotFound);
}

TEST_F(Certificates, a_device_has_a_few_certificates) {
  for (char digit = '1'; digit < '1' + static_cast<int>(kCertificatesPerDeviceMax); ++digit) bind(digit);
  BoundCertificate wanted;
  wanted.fingerprint = print_of('9');
  wanted.device = {"pk", "dn"};
  EXPECT_EQ(registry->bind_certificate(wanted).error().code, base::Errc::kLimitExceeded);
  EXPECT_EQ(registry->list_certificates({"pk", "dn"})->size(), kCertificatesPerDeviceMax);
}

TEST_F(Certificates, they_go_with_their_device) {
  bind('1');
  ASSERT_TRUE(registry->delete_device({"pk", "dn"}));
  ASSERT_TRUE(registry->add_authority(authority('a')));
  EXPECT_FALSE(registry->find_certificate(shown())->device);
}

TEST_F(Certificates, standing_of_a_bound_one) {
  bind('1');
  EXPECT_FALSE(registry->find_certificate(shown())->authority_known);
  ASSERT_TRUE(registry->add_authority(authority('a')));
  const auto standing = registry->find_certificate(shown());
  EXPECT_TRUE(standing->authority_known && !standing->revoked && standing->undescribed);
  EXPECT_EQ(standing->device, (base::DeviceKey{"pk", "dn"}));
  ASSERT_TRUE(registry->describe_certificate(shown()));
  EXPECT_FALSE(registry->find_certificate(shown())->undescribed);
  EXPECT_EQ(registry->list_certificates({"pk", "dn"})->front().not_after_ms, 1'900'000'000'000);
}

TEST_F(Certificates, revoked_by_fingerprint_also_of_an_intermediate) {
  ASSERT_TRUE(registry->add_authority(authority('a')));
  bind('1');
  PresentedChain longer = shown();
  longer.chain.push_back(print_of('5'));
  ASSERT_TRUE(registry->revoke_certificate(print_of('5')));
  EXPECT_FALSE(registry->find_certificate(shown())->revoked);
  EXPECT_TRUE(registry->find_certificate(longer)->revoked);
  ASSERT_TRUE(registry->revoke_certificate(print_of('1')));
  EXPECT_TRUE(registry->find_certificate(shown())->revoked);
  EXPECT_FALSE(registry->find_certificate(shown())->device);
  ASSERT_EQ(changes.back().kind, Change::Kind::kCertificatesRevoked);
  EXPECT_TRUE(changes.back().revoked->concerns(longer.chain, longer.authority, longer.issued_serial));
  EXPECT_TRUE(changes.back().revoked->concerns({print_of('7'), print_of('1')}, print_of('b'), "5")) << "from below";
  EXPECT_FALSE(changes.back().revoked->concerns({print_of('7')}, print_of('a'), "01"));
  ASSERT_TRUE(registry->lift_revocation(print_of('1')));
  EXPECT_FALSE(registry->find_certificate(shown())->revoked);
  EXPECT_EQ(registry->lift_revocation(print_of('1')).error().code, base::Errc::kNotFound);
}

TEST_F(Certificates, a_revocation_list_replaces_the_one_before) {
  ASSERT_TRUE(registry->add_authority(authority('a')));
  bind('1');
  ASSERT_TRUE(registry->describe_certificate(shown()));
  const std::vector<std::string> first{"01", "77"};
  ASSERT_TRUE(registry->import_revocations(print_of('a'), 1000, 2000, first));
  EXPECT_TRUE(registry->find_certificate(shown())->revoked);
  ASSERT_EQ(changes.back().kind, Change::Kind::kCertificatesRevoked);
  EXPECT_TRUE(changes.back().revoked->concerns(shown().chain, print_of('a'), "01"));
  EXPECT_FALSE(changes.back().revoked->concerns(shown().chain, print_of('b'), "01")) << "another authority";
  EXPECT_FALSE(changes.back().revoked->concerns(shown().chain, print_of('a'), "02"));
  EXPECT_EQ(registry->get_authority(print_of('a'))->revoked_serials, 2U);
  ASSERT_TRUE(registry->revoke_serial(print_of('a'), "88"));
  ASSERT_TRUE(registry->import_revocations(print_of('a'), 1500, 2500, {}));
  EXPECT_FALSE(registry->find_certificate(shown())->revoked);
  EXPECT_EQ(registry->get_authority(print_of('a'))->revoked_serials, 1U) << "what was revoked by hand stays";
  EXPECT_EQ(registry->import_revocations(print_of('a'), 1499, 2500, first).error().code, base::Errc::kInvalidArgument);
  EXPECT_EQ(registry->revoke_serial(print_of('b'), "1").error().code, base::Errc::kNotFound);
}

TEST_F(Certificates, first_use_is_off_until_the_product_says_so) {
  ASSERT_TRUE(registry->add_authority(authority('a')));
  EXPECT_FALSE(registry->find_certificate(shown())->first_use);
  EXPECT_FALSE(registry->bind_at_first_use(shown())->device);
  first_use(FirstUse::kExisting, AuthType::kSecret);
  EXPECT_FALSE(registry->find_certificate(shown())->first_use);
  first_use(FirstUse::kExisting);
  EXPECT_TRUE(registry->find_certificate(shown())->first_use);
  EXPECT_EQ(registry->bind_at_first_use(shown())->device, (base::DeviceKey{"pk", "dn"}));
  const auto bound = registry->list_certificates({"pk", "dn"});
  ASSERT_EQ(bound->size(), 1U);
  EXPECT_TRUE(bound->front().first_use);
}

TEST_F(Certificates, first_use_by_the_rules) {
  first_use(FirstUse::kExisting);
  EXPECT_FALSE(registry->bind_at_first_use(shown())->device) << "the authority is not known";
  ASSERT_TRUE(registry->add_authority(authority('a')));
  PresentedChain wrong = shown();
  wrong.organizational_unit = "";
  EXPECT_FALSE(registry->bind_at_first_use(wrong)->device) << "no product is named";
  wrong = shown();
  wrong.claimed = base::DeviceKey{"pk", "other"};
  EXPECT_FALSE(registry->bind_at_first_use(wrong)->device) << "it wants to be another device";
  for (const char* name : {"", "nobody", "d&n", "pk/dn", "d\xc3\xa4", "../dn"}) {
    wrong = shown();
    wrong.common_name = name;
    EXPECT_FALSE(registry->bind_at_first_use(wrong)->device) << name;
  }
  ASSERT_TRUE(registry->revoke_certificate(print_of('1')));
  EXPECT_FALSE(registry->bind_at_first_use(shown())->device) << "revoked";
  EXPECT_TRUE(registry->bind_at_first_use(shown('2'))->device);
  EXPECT_FALSE(registry->bind_at_first_use(shown('3'))->device) << "the device has a certificate";
}

TEST_F(Certificates, an_unbound_one_does_not_bind_itself_again) {
  first_use(FirstUse::kExisting);
  ASSERT_TRUE(registry->add_authority(authority('a')));
  ASSERT_TRUE(registry->bind_at_first_use(shown())->device);
  ASSERT_TRUE(registry->unbind_certificate({"pk", "dn"}, print_of('1')));
  EXPECT_EQ(changes.back().kind, Change::Kind::kDeviceCertificateGone);
  EXPECT_FALSE(registry->find_certificate(shown())->first_use);
  EXPECT_FALSE(registry->bind_at_first_use(shown())->device);
  EXPECT_FALSE(registry->find_certificate(shown())->revoked) << "unbound is not revoked";
  EXPECT_TRUE(registry->find_certificate(shown('2'))->first_use) << "another one of the device may";
  bind('1');
  EXPECT_EQ(registry->find_certificate(shown())->device, (base::DeviceKey{"pk", "dn"})) << "when it is said";
}

TEST_F(Certificates, first_use_may_make_the_device) {
  first_use(FirstUse::kCreate);
  ASSERT_TRUE(registry->add_authority(authority('a', "pk")));
  PresentedChain fresh = shown();
  fresh.common_name = "new-one";
  fresh.organizational_unit = "another";  // of no account: the authority has a product
  EXPECT_EQ(registry->bind_at_first_use(fresh)->device, (base::DeviceKey{"pk", "new-one"}));
  const auto device = registry->get_device({"pk", "new-one"});
  ASSERT_TRUE(device);
  EXPECT_TRUE(device->device_secret.empty());
  EXPECT_EQ(registry->get_product("pk")->device_count, 2U);
}

TEST_F(Certificates, what_ends_soon) {
  ASSERT_TRUE(registry->add_authority(authority('a')));
  bind('1');
  ASSERT_TRUE(registry->describe_certificate(shown()));
  EXPECT_EQ(registry->expiring_certificates(1'900'000'000'000)->device_certificates, 0U);
  const auto ending = registry->expiring_certificates(1'900'000'000'001);
  EXPECT_EQ(ending->device_certificates, 1U);
  EXPECT_EQ(ending->first.front().device.device_name, "dn");
  EXPECT_TRUE(ending->authorities.empty());
  EXPECT_EQ(registry->expiring_certificates(2'000'000'000'001)->authorities.size(), 1U);
}

}  // namespace
}  // namespace mooring::registry
