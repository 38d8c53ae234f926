// Every address of the admin API by every role: what is permitted is written down here a second time, so that a new
// address, or another role for an old one, is a decision that somebody looks at.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>

#include "api/admin_service.h"
#include "registry/tests/registry_fixture.h"

namespace mooring::api {
namespace {

using registry::Role;

class AccessTest : public testing::Test {
 protected:
  AccessTest() : registry(fixture.open()), service(*registry, nullptr) {
    service.handle("POST", "/api/v1/products", R"({"productKey":"pk","productSecret":"ProductSecret"})");
    service.handle("POST", "/api/v1/products/pk/devices", R"({"deviceName":"dev","deviceSecret":"DeviceSecret"})");
  }
  AdminResponse ask(const Caller& caller, std::string_view method, std::string target, std::string_view body = "{}") {
    return service.handle(method, "/api/v1/" + target, body, caller);
  }
  static Caller of(Role role) { return {role, {}, {}, "token test"}; }
  // The address with names in it that do not exist: nothing is changed, and only a refusal is a 403.
  static std::string target_of(std::string_view path) {
    std::string out;
    for (const char c : path) out += c == '*' ? std::string("none") : std::string(1, c);
    return out;
  }
  static bool forbidden(const AdminResponse& response) { return response.status == 403; }

  registry::SqliteFixture fixture;
  std::unique_ptr<registry::Registry> registry;
  AdminService service;
};

TEST_F(AccessTest, every_address_by_every_role) {
  // The role that is needed beyond reading. What is not here and does not read is for administrators.
  const std::vector<std::string_view> operators_may{"POST products/*/devices",
                                                    "PATCH products/*/devices/*",
                                                    "DELETE products/*/devices/*",
                                                    "POST products/*/devices/*/enable",
                                                    "POST products/*/devices/*/disable",
                                                    "POST products/*/devices/*/kick",
                                                    "POST products/*/devices/*/reset",
                                                    "POST products/*/devices/*/secret",
                                                    "GET products/*/devices/*/connect",
                                                    "POST publish",
                                                    "POST products/*/devices/*/certificates",
                                                    "DELETE products/*/devices/*/certificates/*",
                                                    "POST authorities/*/revocation-list",
                                                    "POST authorities/*/revoke",
                                                    "POST certificates/*/revoke",
                                                    "GET products/*/devices/*/flight",
                                                    "GET accounts/*/flight",
                                                    "GET devices:export",
                                                    "DELETE tickets/*",
                                                    "POST tickets:revoke"};
  const std::vector<std::string_view> admins_read{"GET tokens", "GET users", "GET users/*", "GET audit",
                                                  "GET server/configuration"};
  const auto among = [](const std::vector<std::string_view>& list, const std::string& route) {
    return std::ranges::find(list, route) != list.end();
  };
  std::size_t checked = 0;
  for (const AdminService::RouteInfo& route : AdminService::routes()) {
    const std::string name = std::string(route.method) + ' ' + std::string(route.path);
    if (route.is_public) {
      EXPECT_TRUE(name == "GET openapi.json" || name == "POST session") << name;
      continue;
    }
    const bool operators = among(operators_may, name);
    const bool reads =
        (route.method == "GET" || route.path.starts_with("session")) && !operators && !among(admins_read, name);
    for (const Role role : {Role::kViewer, Role::kOperator, Role::kAdmin}) {
      const bool may = role == Role::kAdmin || reads || (operators && role == Role::kOperator);
      EXPECT_EQ(forbidden(ask(of(role), route.method, target_of(route.path))), !may)
          << name << " as " << registry::to_text(role);
      ++checked;
    }
    const bool own = route.path.starts_with("tickets");
    EXPECT_EQ(route.for_accounts, own) << name;
    if (own) continue;
    EXPECT_TRUE(forbidden(ask(Caller::of_account("a", "hash"), route.method, target_of(route.path)))) << name;
  }
  EXPECT_GE(checked, 84U);
}

TEST_F(AccessTest, viewers_change_nothing) {
  for (const AdminService::RouteInfo& route : AdminService::routes()) {
    // Of one's own session everybody disposes.
    if (route.method == "GET" || route.path.starts_with("session")) continue;
    EXPECT_GT(route.least_role, Role::kViewer) << route.method << ' ' << route.path;
  }
}

TEST_F(AccessTest, secrets_are_shown_to_those_who_need_them) {
  const auto shows = [&](Role role, std::string target, const char* secret) {
    const AdminResponse response = ask(of(role), "GET", std::move(target));
    return response.status == 200 && response.body.find(secret) != std::string::npos;
  };
  for (const char* target :
       {"products/pk/devices/dev", "products/pk/devices?secrets=true", "devices?secrets=true", "devices:export"}) {
    EXPECT_FALSE(shows(Role::kViewer, target, "DeviceSecret")) << target;
    EXPECT_TRUE(shows(Role::kOperator, target, "DeviceSecret")) << target;
  }
  for (const char* target : {"products/pk", "products?secrets=true"}) {
    EXPECT_FALSE(shows(Role::kViewer, target, "ProductSecret")) << target;
    EXPECT_FALSE(shows(Role::kOperator, target, "ProductSecret")) << target;
    EXPECT_TRUE(shows(Role::kAdmin, target, "ProductSecret")) << target;
  }
  EXPECT_EQ(ask(of(Role::kViewer), "GET", "products/pk/devices/dev").status, 200);
  EXPECT_EQ(ask(of(Role::kViewer), "GET", "devices?secrets=true").status, 403);
}

TEST_F(AccessTest, a_refusal_has_the_one_shape_of_errors) {
  const AdminResponse response = ask(of(Role::kViewer), "DELETE", "products/pk");
  const boost::json::value body = boost::json::parse(response.body);
  EXPECT_EQ(body.at("error").at("code"), "forbidden");
  EXPECT_EQ(body.at("error").at("message"), "this takes the role admin; the token has the role viewer");
  EXPECT_EQ(ask(of(Role::kAdmin), "GET", "products/pk").status, 200) << "nothing was deleted";
}

TEST_F(AccessTest, tokens_are_made_and_answered_once) {
  const AdminResponse made = ask(of(Role::kAdmin), "POST", "tokens", R"({"name":"ci","role":"viewer","lifetime":60})");
  ASSERT_EQ(made.status, 201) << made.body;
  const boost::json::value body = boost::json::parse(made.body);
  const std::string text(body.at("token").as_string());
  EXPECT_TRUE(text.starts_with("mooring_"));
  const AdminResponse listed = ask(of(Role::kAdmin), "GET", "tokens");
  EXPECT_EQ(listed.body.find(text.substr(21)), std::string::npos);
  EXPECT_EQ(listed.body.find("hash"), std::string::npos);
  EXPECT_EQ(ask(of(Role::kAdmin), "POST", "tokens", R"({"name":"ci","role":"viewer"})").status, 409);
  EXPECT_EQ(ask(of(Role::kAdmin), "POST", "tokens", R"({"name":"x","role":"root"})").status, 400);
  EXPECT_EQ(ask(of(Role::kAdmin), "POST", "tokens", R"({"name":"x"})").status, 400);
  EXPECT_EQ(ask(of(Role::kAdmin), "POST", "tokens", R"({"name":"x","role":"admin","lifetime":0})").status, 400);
  EXPECT_EQ(ask(of(Role::kAdmin), "DELETE", "tokens/ci").status, 200);
  EXPECT_EQ(ask(of(Role::kAdmin), "DELETE", "tokens/ci").status, 404);
}

}  // namespace
}  // namespace mooring::api
