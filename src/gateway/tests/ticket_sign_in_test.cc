#include "gateway/ticket_sign_in.h"

#include <gtest/gtest.h>


#include "crypto/secret_hash.h"
#include "registry/tests/inbox.h"
#include "registry/tests/registry_fixture.h"

namespace mooring::gateway {
namespace {

using auth::RefusalReason;
using Verdict = broker::Authorizer::Verdict;

using registry::Inbox;

class TicketSignInTest : public testing::Test {
 protected:
  void SetUp() override {
    auto registry = fixture.open();
    registry::NewProduct product;
    product.product_key = "pk";
    ASSERT_TRUE(registry->create_product(product));
    registry::NewDevice device;
    device.device_name = "dn";
    ASSERT_TRUE(registry->create_devices("pk", std::span(&device, 1)));
    ASSERT_TRUE(registry->create_account({"shop", "$hash", {{registry::AccountRight::kAll, "shop/#"}}}));
    registry_ = registry.get();
    service = std::make_unique<registry::RegistryService>(std::move(registry));
    limiter = std::make_unique<auth::ConnectLimiter>(auth::ConnectLimiter::Limits{0, 3, 0}, fixture.random);
    sign_in = std::make_unique<TicketSignIn>(*service, *limiter, devices, accounts, inbox, fixture.clock);
    service->start();
  }
  void TearDown() override { service->stop(); }

  registry::Ticket device_ticket(std::string id = "id00000000000001") {
    registry::Ticket ticket;
    ticket.id = std::move(id);
    ticket.secret_hash = crypto::hash_secret("secret");
    ticket.device = {"pk", "dn"};
    return ticket;
  }
  registry::Ticket account_ticket() {
    registry::Ticket ticket = device_ticket();
    ticket.device = {};
    ticket.account = "shop";
    return ticket;
  }
  void store(const registry::Ticket& ticket, std::uint32_t lifetime_s = 60) {
    registry::NewTicket wanted;
    wanted.ticket = ticket;
    wanted.lifetime_s = lifetime_s;
    const auto made = registry_->create_ticket(wanted);
    ASSERT_TRUE(made) << made.error().message;
  }
  auth::ConnectAttempt attempt(std::string_view secret = "secret") {
    auth::ConnectAttempt made;
    made.user_name = user_name;
    made.password = base::as_bytes(secret);
    made.client_id = client_id;
    made.websocket = websocket;
    made.peer_address = "192.0.2.1";
    return made;
  }
  void begin(std::string_view secret = "secret") {
    result.reset();
    sign_in->authenticate(
        attempt(secret), origin.empty() ? nullptr : &origin,
        [this](tl::expected<TicketSignedIn, TicketRefused> done) { result.emplace(std::move(done)); });
  }
  void finish() {
    while (!result) {
      base::Task task = inbox.next();
      ASSERT_TRUE(task) << "nothing came";
      task();
    }
  }
  const TicketSignedIn& admitted() {
    begin();
    finish();
    EXPECT_TRUE(result->has_value()) << result->error().refusal.name;
    return **result;
  }
  RefusalReason refused(std::string_view secret = "secret") {
    begin(secret);
    finish();
    EXPECT_FALSE(result->has_value());
    if (result->has_value()) return RefusalReason::kUnavailable;
    EXPECT_EQ(result->error().refusal.connack_v3, 4) << "the peer sees one code for everything";
    EXPECT_EQ(result->error().refusal.reason_v5, 0x86);
    return result->error().refusal.reason;
  }

  registry::SqliteFixture fixture;
  Inbox inbox;
  registry::Registry* registry_ = nullptr;
  std::unique_ptr<registry::RegistryService> service;
  std::unique_ptr<auth::ConnectLimiter> limiter;
  CredentialCache devices{100};
  AccountCache accounts{100};
  std::unique_ptr<TicketSignIn> sign_in;
  std::string user_name = "ticket:id00000000000001";
  std::string client_id = "page";
  std::string origin;
  bool websocket = true;
  std::optional<tl::expected<TicketSignedIn, TicketRefused>> result;
};

TEST_F(TicketSignInTest, lets_a_device_s_app_in) {
  store(device_ticket());
  const TicketSignedIn& ticket = admitted();
  EXPECT_EQ(ticket.name, "ticket:id00000000000001");
  EXPECT_TRUE(ticket.of_device);
  EXPECT_EQ(ticket.ends_ms, fixture.clock.now_ms + 60'000);
  EXPECT_EQ(ticket.authorizer->may_subscribe("/pk/dn/#"), Verdict::kAllowed);
  EXPECT_EQ(ticket.authorizer->may_publish("/pk/dn/user/get"), Verdict::kAllowed);
  EXPECT_EQ(ticket.authorizer->may_publish("/pk/dn/user/update"), Verdict::kNotPermitted);
}

TEST_F(TicketSignInTest, as_a_device_its_topics_have_the_device_s_direction) {
  registry::Ticket ticket = device_ticket();
  ticket.side = registry::TicketSide::kDevice;
  store(ticket);
  const TicketSignedIn& signed_in = admitted();
  EXPECT_EQ(signed_in.authorizer->may_publish("/pk/dn/user/update"), Verdict::kAllowed);
  EXPECT_EQ(signed_in.authorizer->may_publish("/pk/dn/user/get"), Verdict::kNotPermitted);
}

TEST_F(TicketSignInTest, what_it_lists_narrows_what_the_holder_may) {
  registry::Ticket ticket = account_ticket();
  ticket.permissions = {{registry::AccountRight::kSubscribe, "shop/a"}, {registry::AccountRight::kAll, "elsewhere"}};
  store(ticket);
  const TicketSignedIn& signed_in = admitted();
  EXPECT_EQ(signed_in.authorizer->may_subscribe("shop/a"), Verdict::kAllowed);
  EXPECT_EQ(signed_in.authorizer->may_publish("shop/a"), Verdict::kNotPermitted);
  EXPECT_EQ(signed_in.authorizer->may_subscribe("shop/b"), Verdict::kNotPermitted);
  EXPECT_EQ(signed_in.authorizer->may_subscribe("elsewhere"), Verdict::kNotPermitted) << "the account may not";
}

TEST_F(TicketSignInTest, follows_the_account_s_permissions) {
  store(account_ticket());
  const TicketSignedIn& signed_in = admitted();
  registry::Account account = **registry_->find_account("shop");
  account.permissions = {{registry::AccountRight::kAll, "shop/a"}};
  accounts.update(account);
  EXPECT_EQ(signed_in.authorizer->may_publish("shop/a"), Verdict::kAllowed);
  EXPECT_EQ(signed_in.authorizer->may_publish("shop/b"), Verdict::kNotPermitted);
}

TEST_F(TicketSignInTest, an_answer_from_before_a_change_gives_the_account_nothing_back) {
  store(account_ticket());
  const registry::Account before = **registry_->find_account("shop");
  registry::Account narrowed = before;
  narrowed.permissions.clear();
  const auto connected = accounts.put(narrowed).rules;  // another connection of the account
  begin();
  while (!result) {
    base::Task answer = inbox.next();
    ASSERT_TRUE(answer);
    accounts.update(narrowed);  // with every look-up there is a newer change
    answer();
  }
  ASSERT_FALSE(result->has_value());
  EXPECT_EQ(result->error().refusal.reason, RefusalReason::kUnavailable);
  EXPECT_FALSE(connected->permissions->may_publish("shop/a"));
}

TEST_F(TicketSignInTest, refusals_have_their_reasons) {
  EXPECT_EQ(refused(), RefusalReason::kTicketUnknown);
  store(device_ticket());
  EXPECT_EQ(refused("wrong"), RefusalReason::kTicketSecret);
  EXPECT_EQ(refused(""), RefusalReason::kTicketForm);
  ASSERT_TRUE(registry_->revoke_ticket("id00000000000001"));
  user_name = "ticket:x";
  EXPECT_EQ(refused(), RefusalReason::kTicketForm);
}

TEST_F(TicketSignInTest, an_expired_one_and_a_revoked_one) {
  store(device_ticket());
  fixture.clock.now_ms += 60'000;
  EXPECT_EQ(refused(), RefusalReason::kTicketExpired);
  ASSERT_TRUE(registry_->revoke_ticket("id00000000000001"));
  EXPECT_EQ(refused(), RefusalReason::kTicketRevoked);
  EXPECT_FALSE(result->error().device.device_name.empty());
  EXPECT_EQ(refused("wrong"), RefusalReason::kTicketSecret) << "without the secret nothing is told apart";
  EXPECT_TRUE(result->error().device.device_name.empty()) << "who guesses leaves no trace at the device";
  EXPECT_FALSE(limiter->address_over_limit("192.0.2.1", fixture.clock.mono_ms())) << "old tickets are no guesses";
}

TEST_F(TicketSignInTest, guesses_count_against_the_address) {
  store(device_ticket());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(refused("wrong"), RefusalReason::kTicketSecret);
  EXPECT_TRUE(limiter->address_over_limit("192.0.2.1", fixture.clock.mono_ms()));
}

TEST_F(TicketSignInTest, is_for_the_pages_of_its_origins) {
  registry::Ticket ticket = device_ticket();
  ticket.origins = {"https://a.example", "http://localhost:8080"};
  store(ticket);
  EXPECT_EQ(refused(), RefusalReason::kTicketNotFromPage);
  origin = "https://b.example";
  EXPECT_EQ(refused(), RefusalReason::kTicketOrigin);
  origin = "http://localhost:8080";
  admitted();
  websocket = false;
  EXPECT_EQ(refused(), RefusalReason::kTicketNotFromPage);
}

TEST_F(TicketSignInTest, is_for_its_client_identifier) {
  registry::Ticket ticket = device_ticket();
  ticket.client_id = "page";
  store(ticket);
  admitted();
  client_id = "page2";
  EXPECT_EQ(refused(), RefusalReason::kTicketClientId);
  ticket.id = "id00000000000002";
  ticket.client_id_is_prefix = true;
  store(ticket);
  user_name = "ticket:id00000000000002";
  admitted();
}

TEST_F(TicketSignInTest, a_disabled_device_s_ticket_is_refused) {
  store(device_ticket());
  registry::DeviceChange change;
  change.enabled = false;
  ASSERT_TRUE(registry_->update_device({"pk", "dn"}, change));
  EXPECT_EQ(refused(), RefusalReason::kTicketHolder);
}

TEST_F(TicketSignInTest, a_revocation_overtakes_an_answer_that_is_under_way) {
  store(device_ticket());
  begin();
  ASSERT_TRUE(registry_->revoke_ticket("id00000000000001"));
  sign_in->changed();  // as the loop is told; the registry may have answered before
  finish();
  ASSERT_FALSE(result->has_value());
  EXPECT_EQ(result->error().refusal.reason, RefusalReason::kTicketRevoked);
}

TEST_F(TicketSignInTest, lives_no_longer_than_the_configuration_allows) {
  store(device_ticket(), 3600);
  sign_in->set_policy({{}, 600});
  EXPECT_EQ(admitted().ends_ms, fixture.clock.now_ms + 600'000);
  fixture.clock.now_ms += 600'000;
  EXPECT_EQ(refused(), RefusalReason::kTicketExpired);
}

TEST_F(TicketSignInTest, those_that_are_connected_are_known) {
  store(device_ticket());
  EXPECT_TRUE(sign_in->live().empty());
  admitted();
  std::size_t seen = 0;
  sign_in->live().for_each([&](const TicketAuthorizer& ticket) {
    EXPECT_EQ(ticket.id(), "id00000000000001");
    EXPECT_EQ(ticket.device().device_name, "dn");
    ++seen;
  });
  EXPECT_EQ(seen, 1U);
  result.reset();
  EXPECT_TRUE(sign_in->live().empty());
}

TEST_F(TicketSignInTest, tells_its_user_names_from_others) {
  const auto is_for_ticket = [&](std::string_view name) {
    auth::ConnectAttempt made;
    made.user_name = name;
    return TicketSignIn::is_for_ticket(made);
  };
  EXPECT_TRUE(is_for_ticket("ticket:id00000000000001"));
  EXPECT_FALSE(is_for_ticket("ticket:dn&pk")) << "a device may have such a name";
  EXPECT_FALSE(is_for_ticket("shop"));
  EXPECT_FALSE(TicketSignIn::is_for_ticket({}));
}

}  // namespace
}  // namespace mooring::gateway
