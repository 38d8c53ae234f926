#include "registry/tickets.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "crypto/secret_hash.h"
#include "registry/tests/registry_fixture.h"

namespace mooring::registry {
namespace {

class TicketsTest : public ::testing::Test {
 protected:
  TicketsTest() : registry(fixture.open()) {
    NewProduct product;
    product.product_key = "pk";
    EXPECT_TRUE(registry->create_product(product));
    std::vector<NewDevice> devices(2);
    devices[0].device_name = "dev1";
    devices[1].device_name = "dev2";
    EXPECT_TRUE(registry->create_devices("pk", devices));
    EXPECT_TRUE(registry->create_account({"back-end", "$hash", {{AccountRight::kAll, "a/#"}}}));
    registry->set_change_listener([this](std::span<const Change> changes) {
      for (const Change& change : changes) {
        if (change.kind == Change::Kind::kTicketRevoked) revoked.push_back(change.ticket);
      }
    });
  }

  NewTicket of_device(std::string name = "dev1") {
    NewTicket wanted;
    wanted.ticket.id = fmt::format("id{:014}", ++made);
    wanted.ticket.secret_hash = crypto::hash_secret("secret");
    wanted.ticket.device = {"pk", std::move(name)};
    wanted.ticket.minted_by = "tests";
    return wanted;
  }
  NewTicket of_account() {
    NewTicket wanted = of_device();
    wanted.ticket.device = {};
    wanted.ticket.account = "back-end";
    return wanted;
  }
  std::string mint(const NewTicket& wanted) {
    auto ticket = registry->create_ticket(wanted);
    EXPECT_TRUE(ticket) << ticket.error().message;
    return ticket ? ticket->id : std::string();
  }
  std::size_t live(const TicketHolder& holder = {}) { return registry->list_tickets(holder, {}, 100, false)->size(); }

  SqliteFixture fixture;
  std::unique_ptr<Registry> registry;
  std::vector<std::string> revoked;
  int made = 0;
};

TEST_F(TicketsTest, KeepsEverythingItWasMadeOf) {
  NewTicket wanted = of_device();
  wanted.ticket.side = TicketSide::kDevice;
  wanted.ticket.permissions = {{AccountRight::kSubscribe, "/pk/dev1/user/#"}, {AccountRight::kPublish, "b"}};
  wanted.ticket.origins = {"https://a.example", "http://localhost:8080"};
  wanted.ticket.client_id = "page-";
  wanted.ticket.client_id_is_prefix = true;
  wanted.ticket.session_s = 600;
  wanted.lifetime_s = 90;
  const std::string id = mint(wanted);
  const auto found = registry->find_ticket_credential(id);
  ASSERT_TRUE(found && found->ticket);
  const Ticket& ticket = *found->ticket;
  EXPECT_EQ(ticket.device.device_name, "dev1");
  EXPECT_EQ(ticket.side, TicketSide::kDevice);
  EXPECT_EQ(ticket.permissions, wanted.ticket.permissions);
  EXPECT_EQ(ticket.origins, wanted.ticket.origins);
  EXPECT_EQ(ticket.client_id, "page-");
  EXPECT_TRUE(ticket.client_id_is_prefix);
  EXPECT_EQ(ticket.session_s, 600U);
  EXPECT_EQ(ticket.minted_by, "tests");
  EXPECT_EQ(ticket.expires_ms - ticket.created_ms, 90'000);
  ASSERT_TRUE(found->device.device);
  EXPECT_TRUE(found->device.device->enabled);
  EXPECT_FALSE(found->account);
}

TEST_F(TicketsTest, AnAccountsTicketComesWithTheAccount) {
  const auto found = registry->find_ticket_credential(mint(of_account()));
  ASSERT_TRUE(found && found->account);
  EXPECT_EQ(found->account->permissions.size(), 1U);
  EXPECT_FALSE(found->device.device);
  const auto nobody = registry->find_ticket_credential("no such ticket");
  ASSERT_TRUE(nobody);
  EXPECT_FALSE(nobody->ticket);
}

TEST_F(TicketsTest, GoesWithItsDeviceItsProductAndItsAccount) {
  const std::string first = mint(of_device());
  const std::string second = mint(of_device("dev2"));
  const std::string third = mint(of_account());
  ASSERT_TRUE(registry->delete_device({"pk", "dev1"}));
  EXPECT_FALSE(*registry->find_ticket(first));
  EXPECT_TRUE(*registry->find_ticket(second));
  ASSERT_TRUE(registry->delete_product("pk", true));
  EXPECT_FALSE(*registry->find_ticket(second));
  ASSERT_TRUE(registry->delete_account("back-end"));
  EXPECT_FALSE(*registry->find_ticket(third));
}

TEST_F(TicketsTest, WhoHoldsSessionsOfATicketIsToldThatItWentWithItsHolder) {
  const std::string first = mint(of_device());
  const std::string second = mint(of_device("dev2"));
  const std::string third = mint(of_account());
  const std::string dead = mint(of_device());
  ASSERT_TRUE(registry->revoke_ticket(dead));
  revoked.clear();
  ASSERT_TRUE(registry->delete_device({"pk", "dev1"}));
  EXPECT_EQ(revoked, std::vector<std::string>{first});
  ASSERT_TRUE(registry->delete_product("pk", true));
  EXPECT_EQ(revoked.back(), second);
  ASSERT_TRUE(registry->delete_account("back-end"));
  EXPECT_EQ(revoked.back(), third);
  EXPECT_EQ(revoked.size(), 3U);
}

TEST_F(TicketsTest, AnotherPasswordRevokesAnAccountsTickets) {
  const std::string ticket = mint(of_account());
  AccountChange change;
  change.password_hash = "$another";
  ASSERT_TRUE(registry->update_account("back-end", change));
  EXPECT_EQ(revoked, std::vector<std::string>{ticket});
  EXPECT_NE((*registry->find_ticket(ticket))->revoked_ms, 0);
}

TEST_F(TicketsTest, AreRevokedAloneAndTogether) {
  const std::string first = mint(of_device());
  const std::string second = mint(of_device());
  const std::string other = mint(of_device("dev2"));
  ASSERT_TRUE(registry->revoke_ticket(first));
  ASSERT_TRUE(registry->revoke_ticket(first)) << "revoking twice is harmless";
  EXPECT_EQ(revoked, std::vector<std::string>{first});
  EXPECT_EQ(registry->revoke_ticket("nothing").error().code, base::Errc::kNotFound);
  EXPECT_EQ(*registry->revoke_tickets({{"pk", "dev1"}, {}}), 1U);
  EXPECT_EQ(revoked.back(), second);
  EXPECT_EQ((*registry->find_ticket(other))->revoked_ms, 0);
  EXPECT_EQ(registry->revoke_tickets({{"pk", "nobody"}, {}}).error().code, base::Errc::kNotFound);
}

TEST_F(TicketsTest, ListsByHolderAndPage) {
  mint(of_device());
  const std::string second = mint(of_device());
  mint(of_account());
  EXPECT_EQ(live(), 3U);
  EXPECT_EQ(live({{"pk", "dev1"}, {}}), 2U);
  EXPECT_EQ(live({{"pk", "dev2"}, {}}), 0U);
  EXPECT_EQ(live({{}, "back-end"}), 1U);
  const auto page = registry->list_tickets({}, {}, 1, false);
  const auto rest = registry->list_tickets({}, page->front().id, 10, false);
  EXPECT_EQ(rest->size(), 2U);
  ASSERT_TRUE(registry->revoke_ticket(second));
  EXPECT_EQ(live({{"pk", "dev1"}, {}}), 1U);
  EXPECT_EQ(registry->list_tickets({{"pk", "dev1"}, {}}, {}, 10, true)->size(), 2U);
  fixture.clock.now_ms += 3'600'000;
  EXPECT_EQ(live(), 0U);
}

TEST_F(TicketsTest, LiveOnesAreBoundedAndDeadOnesForgotten) {
  NewTicket wanted = of_device();
  wanted.live_max = 2;
  mint(wanted);
  wanted.ticket.id = "second-----------";
  wanted.ticket.id.resize(kTicketIdCharacters);
  mint(wanted);
  wanted.ticket.id[0] = 'x';
  EXPECT_EQ(registry->create_ticket(wanted).error().code, base::Errc::kLimitExceeded);
  EXPECT_TRUE(registry->revoke_tickets({{"pk", "dev1"}, {}}));
  mint(wanted);
  for (std::size_t i = 0; i < kDeadTicketsKept + 20; ++i) ASSERT_TRUE(registry->revoke_ticket(mint(of_device())));
  EXPECT_LE(registry->list_tickets({}, {}, 1000, true)->size(), kDeadTicketsKept + 2);
  fixture.clock.now_ms += kDeadTicketKeptMs + 3'600'000;
  mint(of_device("dev2"));
  EXPECT_EQ(registry->list_tickets({}, {}, 1000, true)->size(), 1U);
}

TEST_F(TicketsTest, RefusesWhatFitsNobody) {
  NewTicket both = of_device();
  both.ticket.account = "back-end";
  EXPECT_FALSE(registry->create_ticket(both));
  NewTicket nobody = of_device("nobody");
  EXPECT_EQ(registry->create_ticket(nobody).error().code, base::Errc::kNotFound);
  NewTicket as_device = of_account();
  as_device.ticket.side = TicketSide::kDevice;
  EXPECT_FALSE(registry->create_ticket(as_device));
  NewTicket clear = of_device();
  clear.ticket.secret_hash = "secret";
  EXPECT_FALSE(registry->create_ticket(clear));
  NewTicket origin = of_device();
  origin.ticket.origins = {"https://a b"};
  EXPECT_FALSE(registry->create_ticket(origin));
  NewTicket at_once = of_device();
  at_once.lifetime_s = 0;
  EXPECT_FALSE(registry->create_ticket(at_once));
}

TEST_F(TicketsTest, SurviveARestart) {
  const std::string id = mint(of_device());
  registry.reset();
  registry = fixture.open();
  EXPECT_TRUE(*registry->find_ticket(id));
}

}  // namespace
}  // namespace mooring::registry
