#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "api/admin_service.h"
#include "registry/tests/registry_fixture.h"

namespace mooring::api {
namespace {

namespace json = boost::json;

class AdminTicketsTest : public testing::Test {
 protected:
  AdminTicketsTest() : registry(fixture.open()) {
    ask(admin, 201, "POST", "products", R"({"productKey":"pk"})");
    ask(admin, 201, "POST", "products/pk/devices", R"({"deviceName":"dev"})");
    for (const char* name : {"shop", "other"}) {
      registry->create_account({name, "$hash", {{registry::AccountRight::kAll, "/pk/+/user/#"}}});
    }
  }
  json::value ask(const Caller& caller, int status, std::string_view method, std::string target,
                  const std::string& body = {}) {
    AdminService service(*registry, nullptr, settings);
    const AdminResponse response = service.handle(method, "/api/v1/" + target, body, caller);
    EXPECT_EQ(response.status, status) << method << ' ' << target << ' ' << body << ": " << response.body;
    return json::parse(response.body);
  }
  json::value mint(std::string more = {}, int status = 201) {
    return ask(admin, status, "POST", "tickets", R"({"productKey":"pk","deviceName":"dev")" + more + "}");
  }

  registry::SqliteFixture fixture;
  std::unique_ptr<registry::Registry> registry;
  AdminSettings settings;
  const Caller admin = Caller::local_operator();
  const Caller shop = Caller::of_account("shop", "hash");
  const Caller other = Caller::of_account("other", "hash");
};

TEST_F(AdminTicketsTest, a_ticket_is_answered_with_its_password_once) {
  const json::value ticket = mint(R"(,"permissions":["subscribe:/pk/dev/user/#"],"origins":["https://App.example.com/"],
                                      "clientIdPrefix":"page-","lifetime":120,"session":60)");
  const std::string id(ticket.at("id").as_string());
  const std::string password(ticket.at("password").as_string());
  EXPECT_EQ(std::string(ticket.at("username").as_string()), "ticket:" + id);
  EXPECT_EQ(password.size(), 32U);
  EXPECT_EQ(ticket.at("as"), "app");
  EXPECT_EQ(ticket.at("origins").at(0), "https://app.example.com");
  EXPECT_EQ(ticket.at("mintedBy"), "the local operator");
  for (const std::string& target : {"tickets/" + id, std::string("tickets"), std::string("tickets?all=true")}) {
    const std::string shown = json::serialize(ask(admin, 200, "GET", target));
    EXPECT_NE(shown.find(id), std::string::npos);
    EXPECT_EQ(shown.find(password), std::string::npos);
    EXPECT_EQ(shown.find("hash"), std::string::npos);
  }
  EXPECT_EQ(ask(admin, 200, "DELETE", "tickets/" + id).at("state"), "revoked");
  EXPECT_EQ(ask(admin, 200, "GET", "tickets").at("items").as_array().size(), 0U);
  ask(admin, 404, "DELETE", "tickets/nothing");
}

TEST_F(AdminTicketsTest, its_bounds_are_those_of_the_configuration) {
  settings.ticket_lifetime_max_s = 600;
  settings.tickets_per_holder = 2;
  const auto stored = registry->find_ticket(std::string(mint().at("id").as_string()));
  EXPECT_EQ((*stored)->expires_ms - (*stored)->created_ms, 600'000) << "the default of an hour is above the maximum";
  mint(R"(,"lifetime":601)", 400);
  mint(R"(,"lifetime":0)", 400);
  mint(R"(,"lifetime":"1h")", 400);
  mint(R"(,"lifetime":60,"session":61)", 400);
  mint();
  EXPECT_EQ(mint({}, 400).at("error").at("code"), "limit_exceeded");
}

TEST_F(AdminTicketsTest, a_devices_ticket_stays_with_its_device) {
  mint(R"(,"permissions":["subscribe:/pk/+/user/#"])", 400);
  mint(R"(,"permissions":["publish:/pk/other/user/get"])", 400);
  mint(R"(,"permissions":["all:#"])", 400);
  mint(R"(,"permissions":["subscribe:/a/#b"])", 400);
  mint(R"(,"as":"root")", 400);
  EXPECT_EQ(mint(R"(,"as":"device")").at("as"), "device");
  mint(R"(,"origins":["app.example.com"])", 400);
  mint(R"(,"clientId":"a","clientIdPrefix":"b")", 400);
  mint(R"(,"account":"shop")", 400);
  mint(R"(,"unknown":1)", 400);
  ask(admin, 404, "POST", "tickets", R"({"productKey":"pk","deviceName":"nobody"})");
  ask(admin, 404, "POST", "tickets", R"({"account":"nobody"})");
  ask(admin, 400, "POST", "tickets", "{}");
}

TEST_F(AdminTicketsTest, an_account_gives_on_what_it_has_and_no_more) {
  const json::value ticket = ask(shop, 201, "POST", "tickets", R"({"permissions":["subscribe:/pk/dev/user/update"]})");
  EXPECT_EQ(ticket.at("account"), "shop");
  EXPECT_EQ(ticket.at("mintedBy"), "account shop");
  ask(shop, 403, "POST", "tickets", R"({"permissions":["subscribe:/pk/#"]})");
  ask(shop, 403, "POST", "tickets", R"({"permissions":["all:/pk/dev/user/a","publish:/other"]})");
  ask(shop, 403, "POST", "tickets", R"({"account":"other"})");
  ask(shop, 403, "POST", "tickets", R"({"productKey":"pk","deviceName":"dev"})");
  ask(admin, 403, "POST", "tickets", R"({"account":"shop","permissions":["all:#"]})");
}

TEST_F(AdminTicketsTest, an_account_sees_and_revokes_its_own_tickets_only) {
  const std::string own(ask(shop, 201, "POST", "tickets", "{}").at("id").as_string());
  const std::string of_device(mint().at("id").as_string());
  EXPECT_EQ(ask(shop, 200, "GET", "tickets").at("items").as_array().size(), 1U);
  EXPECT_EQ(ask(other, 200, "GET", "tickets").at("items").as_array().size(), 0U);
  for (const std::string& id : {own, of_device}) {
    ask(other, 404, "GET", "tickets/" + id);
    ask(other, 404, "DELETE", "tickets/" + id);
  }
  ask(other, 403, "GET", "tickets?account=shop");
  ask(other, 403, "POST", "tickets:revoke", R"({"productKey":"pk","deviceName":"dev"})");
  EXPECT_EQ(ask(other, 200, "POST", "tickets:revoke", "{}").at("revoked"), 0);
  ask(shop, 200, "GET", "tickets/" + own);
  EXPECT_EQ(ask(shop, 200, "POST", "tickets:revoke", "{}").at("revoked"), 1);
  ask(admin, 400, "POST", "tickets:revoke", "{}");
}

TEST_F(AdminTicketsTest, lists_come_page_by_page) {
  for (int i = 0; i < 3; ++i) mint();
  const json::value first = ask(admin, 200, "GET", "tickets?limit=2&productKey=pk&deviceName=dev");
  EXPECT_EQ(first.at("items").as_array().size(), 2U);
  const std::string cursor(first.at("nextCursor").as_string());
  const json::value second = ask(admin, 200, "GET", "tickets?limit=2&cursor=" + cursor);
  EXPECT_EQ(second.at("items").as_array().size(), 1U);
  EXPECT_FALSE(second.as_object().contains("nextCursor"));
  ask(admin, 400, "GET", "tickets?productKey=pk");
}

TEST_F(AdminTicketsTest, no_account_may_be_named_like_a_ticket) {
  ask(admin, 400, "POST", "accounts", R"({"name":"ticket:abc","password":"x"})");
}

}  // namespace
}  // namespace mooring::api
