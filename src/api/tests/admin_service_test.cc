#include "api/admin_service.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <set>

#include "crypto/password_hash.h"
#include "registry/tests/registry_fixture.h"

namespace mooring::api {
namespace {

namespace json = boost::json;

class FakeSessions final : public SessionControl {
 public:
  bool kick(const base::DeviceKey& key) override { return online.erase(key.device_name) != 0; }
  bool is_online(const base::DeviceKey& key) override { return online.contains(key.device_name); }
  std::set<std::string> online;
};

class AdminServiceTest : public testing::Test {
 protected:
  void SetUp() override {
    registry_ = fixture_.open();
    ASSERT_NE(registry_, nullptr);
  }
  // Sends and expects `status`; the body as JSON.
  json::value send(int status, std::string_view method, std::string target, const std::string& body = {}) {
    AdminService service(*registry_, sessions_);
    const AdminResponse response = service.handle(method, "/api/v1/" + target, body);
    EXPECT_EQ(response.status, status) << method << " " << target << ": " << response.body;
    return json::parse(response.body);
  }
  std::string error_code(int status, std::string_view method, std::string target, const std::string& body = {}) {
    const json::value answer = send(status, method, std::move(target), body);
    const json::value* error = answer.as_object().if_contains("error");
    if (error == nullptr) return "(no error)";
    EXPECT_FALSE(error->at("message").as_string().empty());
    return error->at("code").as_string().c_str();
  }
  void add_product_and_device() {
    send(201, "POST", "products", R"({"productKey":"pk","productSecret":"ps"})");
    send(201, "POST", "products/pk/devices", R"({"deviceName":"device","deviceSecret":"secret"})");
  }

  registry::SqliteFixture fixture_;
  std::unique_ptr<registry::Registry> registry_;
  SessionControl* sessions_ = nullptr;
};

TEST_F(AdminServiceTest, product_life) {
  const json::value created = send(201, "POST", "products",
                                   R"({"productKey":"pk","productSecret":"ps","name":"Lamp","profile":"mqtt",
                                       "dynamicRegistration":"on","topicClasses":["user/echo:all"]})");
  EXPECT_EQ(created.at("productSecret"), "ps");
  EXPECT_EQ(created.at("topicClasses").at(0), "user/echo:all");
  EXPECT_EQ(created.at("created"), "2023-11-14T22:13:20.000Z");
  EXPECT_EQ(send(200, "GET", "products/pk"), created);
  EXPECT_EQ(send(200, "PATCH", "products/pk", R"({"name":"Lamp 2"})").at("name"), "Lamp 2");
  const json::value list = send(200, "GET", "products");
  EXPECT_EQ(list.at("items").at(0).at("name"), "Lamp 2");
  EXPECT_FALSE(list.at("items").at(0).as_object().contains("productSecret"));
  EXPECT_EQ(send(200, "GET", "products?secrets=true").at("items").at(0).at("productSecret"), "ps");
  send(200, "DELETE", "products/pk");
  EXPECT_EQ(error_code(404, "GET", "products/pk"), "not_found");
}

// Of which a loop may be too busy to answer.
class FakePlatform final : public Platform {
 public:
  ServerFacts server() override { return {}; }
  CertificatesFacts certificates() override { return {}; }
  std::vector<OptionFacts> configuration() override { return {}; }
  std::string configuration_file() override { return {}; }
  SessionsFacts sessions_of_device(const base::DeviceKey&) override { return sessions; }
  SessionsFacts sessions_of_account(const std::string&) override { return sessions; }
  base::Result<> publish(const std::string&, const std::string&, unsigned, bool) override { return {}; }
  SessionsFacts sessions;
};

TEST_F(AdminServiceTest, a_part_of_the_sessions_is_no_answer) {
  add_product_and_device();
  FakePlatform platform;
  platform.sessions.items.resize(1);
  AdminService service(*registry_, nullptr, {}, {}, {nullptr, &platform});
  const auto ask = [&] { return service.handle("GET", "/api/v1/products/pk/devices/device/session", {}); };
  EXPECT_EQ(json::parse(ask().body).at("items").as_array().size(), 1U);
  platform.sessions.complete = false;
  EXPECT_EQ(ask().status, 503);
}

TEST_F(AdminServiceTest, product_with_devices_needs_with_devices) {
  add_product_and_device();
  EXPECT_EQ(error_code(409, "DELETE", "products/pk"), "has_devices");
  send(200, "DELETE", "products/pk?withDevices=true");
  EXPECT_EQ(error_code(404, "GET", "products/pk/devices"), "not_found");
}

TEST_F(AdminServiceTest, device_life) {
  add_product_and_device();
  const json::value shown = send(200, "GET", "products/pk/devices/device");
  EXPECT_EQ(shown.at("productKey"), "pk");
  EXPECT_EQ(shown.at("deviceName"), "device");
  EXPECT_EQ(shown.at("deviceSecret"), "secret");
  EXPECT_EQ(shown.at("iotId").as_string().size(), 30U);
  EXPECT_EQ(shown.at("status"), "UNACTIVE");
  EXPECT_TRUE(shown.at("activated").is_null());
  EXPECT_EQ(send(200, "PATCH", "products/pk/devices/device", R"({"nickname":"K"})").at("nickname"), "K");
  EXPECT_EQ(send(200, "POST", "products/pk/devices/device/disable").at("status"), "DISABLE");
  EXPECT_EQ(send(200, "GET", "products/pk/devices?status=disable").at("items").as_array().size(), 1U);
  EXPECT_EQ(send(200, "POST", "products/pk/devices/device/enable").at("status"), "UNACTIVE");
  send(200, "DELETE", "products/pk/devices/device");
  EXPECT_EQ(error_code(404, "DELETE", "products/pk/devices/device"), "not_found");
}

TEST_F(AdminServiceTest, device_batch_and_pages) {
  send(201, "POST", "products", R"({"productKey":"pk"})");
  EXPECT_EQ(send(201, "POST", "products/pk/devices", R"({"count":25})").at("items").as_array().size(), 25U);
  std::set<std::string> seen;
  std::string cursor;
  for (int pages = 0; pages < 10; ++pages) {
    const json::value page = send(200, "GET", "products/pk/devices?limit=10&cursor=" + cursor);
    for (const json::value& item : page.at("items").as_array()) {
      EXPECT_FALSE(item.as_object().contains("deviceSecret"));
      seen.insert(item.at("deviceName").as_string().c_str());
    }
    const json::value* next = page.as_object().if_contains("nextCursor");
    if (next == nullptr) break;
    cursor = next->as_string().c_str();
  }
  EXPECT_EQ(seen.size(), 25U);
  EXPECT_EQ(send(200, "GET", "devices?productKey=pk").at("items").as_array().size(), 25U);
  EXPECT_TRUE(send(200, "GET", "devices:export").at("items").at(0).as_object().contains("deviceSecret"));
}

TEST_F(AdminServiceTest, names_in_the_path_are_percent_decoded) {
  send(201, "POST", "products", R"({"productKey":"pk"})");
  send(201, "POST", "products/pk/devices", R"({"deviceName":"Ev_01@line.2:A-b"})");
  EXPECT_EQ(send(200, "GET", "products/pk/devices/Ev_01%40line.2%3AA-b").at("deviceName"), "Ev_01@line.2:A-b");
  EXPECT_EQ(error_code(400, "GET", "products/%zz"), "bad_request");
  EXPECT_EQ(error_code(400, "GET", "products/%4"), "bad_request");
}

TEST_F(AdminServiceTest, kick_needs_a_running_server_and_a_connection) {
  add_product_and_device();
  EXPECT_EQ(error_code(503, "POST", "products/pk/devices/device/kick"), "not_running");
  FakeSessions sessions;
  sessions_ = &sessions;
  EXPECT_EQ(error_code(409, "POST", "products/pk/devices/device/kick"), "not_connected");
  sessions.online.insert("device");
  EXPECT_EQ(send(200, "GET", "products/pk/devices/device").at("status"), "ONLINE");
  send(200, "POST", "products/pk/devices/device/kick");
  EXPECT_EQ(error_code(404, "POST", "products/pk/devices/nobody/kick"), "not_found");
}

TEST_F(AdminServiceTest, import_reports_every_row) {
  add_product_and_device();
  const std::string rows = R"({"dryRun":false,"rows":[
      {"productKey":"pk","deviceName":"device","deviceSecret":"secret"},
      {"productKey":"new","deviceName":"dev1","deviceSecret":"s1","nickname":"N","status":"DISABLE"},
      {"productKey":"new","deviceName":"bad name","deviceSecret":"s2"},
      {"productKey":"new","deviceName":"dev3"}]})";
  const json::value report = send(200, "POST", "devices:import", rows);
  EXPECT_EQ(report.at("created"), 1);
  EXPECT_EQ(report.at("unchanged"), 1);
  EXPECT_EQ(report.at("changed"), 0);
  EXPECT_EQ(report.at("refused"), 2);
  EXPECT_EQ(report.at("refusals").at(0).at("row"), 2);
  EXPECT_EQ(report.at("productsCreated").at(0), "new");
  EXPECT_EQ(send(200, "GET", "products/new/devices/dev1").at("status"), "DISABLE");
  EXPECT_EQ(error_code(400, "POST", "devices:import", R"({"rows":[{"productKey":1}]})"), "bad_request");
  EXPECT_EQ(error_code(400, "POST", "devices:import", "{}"), "bad_request");
}

TEST_F(AdminServiceTest, the_second_of_two_writers_is_told) {
  send(201, "POST", "products", R"({"productKey":"pk","name":"Lamp"})");
  send(201, "POST", "products/pk/devices", R"({"deviceName":"dev"})");
  send(201, "POST", "accounts", R"({"name":"one","password":"secret"})");
  for (const auto& [path, first, second] : std::vector<std::array<std::string, 3>>{
           {"products/pk", R"({"name":"A","version":1})", R"({"name":"B","version":1})"},
           {"products/pk/devices/dev", R"({"nickname":"A","version":1})", R"({"nickname":"B","version":1})"},
           {"accounts/one", R"({"permissions":["all:a"],"version":1})", R"({"permissions":["all:b"],"version":1})"}}) {
    ASSERT_EQ(send(200, "GET", path).at("version"), 1) << path;
    const json::value changed = send(200, "PATCH", path, first);
    EXPECT_EQ(changed.at("version"), 2) << path;
    EXPECT_EQ(error_code(409, "PATCH", path, second), "version_conflict") << path;
    EXPECT_EQ(send(200, "GET", path).at("version"), 2) << path;
    EXPECT_EQ(send(200, "PATCH", path, first.substr(0, first.rfind(',')) + "}").at("version"), 2) << "no change";
  }
  EXPECT_EQ(error_code(400, "PATCH", "products/pk", R"({"version":-1})"), "invalid");
}

TEST_F(AdminServiceTest, changes_leave_entries_without_secrets) {
  send(201, "POST", "products", R"({"productKey":"pk","productSecret":"TopSecret"})");
  send(201, "POST", "products/pk/devices", R"({"deviceName":"dev","deviceSecret":"TopSecret"})");
  send(200, "PATCH", "products/pk/devices/dev", R"({"nickname":"N","deviceSecret":"TopSecret2"})");
  send(200, "POST", "products/pk/devices/dev/disable");
  send(409, "POST", "products", R"({"productKey":"pk"})");
  send(200, "DELETE", "products/pk/devices/dev");
  send(201, "POST", "accounts", R"({"name":"a","password":"TopSecret"})");
  const json::value log = send(200, "GET", "audit");
  std::vector<std::string> seen;
  for (const json::value& entry : log.at("items").as_array()) {
    seen.emplace_back(entry.at("action").as_string());
    EXPECT_EQ(entry.at("actor"), "the local operator");
    EXPECT_EQ(entry.at("role"), "admin");
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"POST accounts", "DELETE products/*/devices/*",
                                            "POST products/*/devices/*/disable", "PATCH products/*/devices/*",
                                            "POST products/*/devices", "POST products"}));
  const json::value& disabled = log.at("items").at(2);
  EXPECT_EQ(disabled.at("target"), "products/pk/devices/dev/disable");
  EXPECT_EQ(disabled.at("before").at("status"), "UNACTIVE");
  EXPECT_EQ(disabled.at("after").at("status"), "DISABLE");
  EXPECT_EQ(log.at("items").at(1).at("before").at("nickname"), "N");
  EXPECT_EQ(log.at("items").at(5).at("after").at("productKey"), "pk");
  EXPECT_EQ(json::serialize(log).find("TopSecret"), std::string::npos);
  EXPECT_EQ(error_code(400, "GET", "audit?since=x"), "bad_request");
  EXPECT_EQ(send(200, "GET", "audit?limit=2").at("items").as_array().size(), 2U);
  EXPECT_EQ(send(200, "GET", "audit?target=accounts").at("items").as_array().size(), 1U);
}

TEST_F(AdminServiceTest, account_life) {
  const json::value created =
      send(201, "POST", "accounts",
           R"({"name":"back end","password":"open sesame","permissions":["subscribe:/+/+/user/#","all:a/b"]})");
  EXPECT_EQ(created.at("name"), "back end");
  EXPECT_EQ(created.at("permissions"), (json::array{"subscribe:/+/+/user/#", "all:a/b"}));
  EXPECT_EQ(created.at("created"), "2023-11-14T22:13:20.000Z");
  EXPECT_EQ(send(200, "GET", "accounts/back%20end"), created);
  EXPECT_EQ(send(200, "GET", "accounts").at("items"), json::array{created});
  const auto password_is = [&](std::string_view password) {
    return crypto::verify_password((*registry_->find_account("back end"))->password_hash, password);
  };
  EXPECT_TRUE(password_is("open sesame"));

  const json::value allowed = send(200, "PATCH", "accounts/back%20end", R"({"permissions":["publish:#"]})");
  EXPECT_EQ(allowed.at("permissions"), json::array{"publish:#"});
  EXPECT_TRUE(password_is("open sesame"));
  EXPECT_EQ(allowed.at("version"), 2);
  EXPECT_EQ(send(200, "PATCH", "accounts/back%20end", R"({"password":"other"})").at("version"), 3);
  EXPECT_TRUE(password_is("other"));
  EXPECT_FALSE(password_is("open sesame"));

  send(200, "DELETE", "accounts/back%20end");
  EXPECT_EQ(error_code(404, "GET", "accounts/back%20end"), "not_found");
  EXPECT_EQ(error_code(404, "DELETE", "accounts/back%20end"), "not_found");
  EXPECT_EQ(error_code(404, "PATCH", "accounts/back%20end", R"({"password":"x"})"), "not_found");
}

TEST_F(AdminServiceTest, a_generated_password_is_shown_once_and_a_hash_never) {
  const json::value created = send(201, "POST", "accounts", R"({"name":"one"})");
  const std::string password = created.at("password").as_string().c_str();
  EXPECT_EQ(password.size(), 24U);
  EXPECT_TRUE(crypto::verify_password((*registry_->find_account("one"))->password_hash, password));
  for (const json::value& answer : {created, send(200, "GET", "accounts/one"), send(200, "GET", "accounts"),
                                    send(200, "PATCH", "accounts/one", R"({"password":"secret"})")}) {
    const std::string text = json::serialize(answer);
    EXPECT_EQ(text.find("argon2"), std::string::npos) << text;
    EXPECT_EQ(text.find("secret"), std::string::npos) << text;
    EXPECT_EQ(text.find(password) != std::string::npos, answer == created) << text;
  }
}

TEST_F(AdminServiceTest, account_faults) {
  send(201, "POST", "accounts", R"({"name":"one","password":"p"})");
  EXPECT_EQ(error_code(409, "POST", "accounts", R"({"name":"one","password":"p"})"), "already_exists");
  EXPECT_EQ(error_code(400, "POST", "accounts", R"({"password":"p"})"), "bad_request");
  EXPECT_EQ(error_code(400, "POST", "accounts", R"({"name":"a&b","password":"p"})"), "invalid");
  EXPECT_EQ(error_code(400, "POST", "accounts", R"({"name":"two","password":""})"), "invalid");
  EXPECT_EQ(error_code(400, "POST", "accounts", R"({"name":"two","passwort":"p"})"), "bad_request");
  for (const char* permission : {"subscribe:a/#/b", "publish:a+", "all:", "pub:a", "#", "subscribe:$share/group/a"}) {
    const std::string body = json::serialize(json::object{{"name", "two"}, {"permissions", json::array{permission}}});
    EXPECT_EQ(error_code(400, "POST", "accounts", body), "invalid") << permission;
  }
  EXPECT_EQ(error_code(400, "PATCH", "accounts/one", R"({"permissions":"all:#"})"), "bad_request");
  EXPECT_EQ(error_code(400, "PATCH", "accounts/one", R"({"permissions":[7]})"), "bad_request");
  EXPECT_EQ(error_code(400, "PATCH", "accounts/one", R"({"name":"two"})"), "bad_request");
}

TEST_F(AdminServiceTest, faults_have_stable_codes) {
  add_product_and_device();
  EXPECT_EQ(error_code(409, "POST", "products", R"({"productKey":"pk"})"), "already_exists");
  EXPECT_EQ(error_code(400, "POST", "products", R"({"productKey":"p k"})"), "invalid");
  EXPECT_EQ(error_code(400, "POST", "products", "{"), "bad_json");
  EXPECT_EQ(error_code(400, "POST", "products", "[]"), "bad_json");
  EXPECT_EQ(error_code(400, "POST", "products", std::string(1000, '[')), "bad_json");
  EXPECT_EQ(error_code(400, "POST", "products", R"({"productkey":"x"})"), "bad_request");
  EXPECT_EQ(error_code(400, "POST", "products", R"({"name":7})"), "bad_request");
  EXPECT_EQ(error_code(400, "POST", "products", R"({"topicClasses":["user/#:pub"]})"), "invalid");
  EXPECT_EQ(error_code(400, "POST", "products/pk/devices", R"({"count":0})"), "invalid");
  EXPECT_EQ(error_code(400, "POST", "products/pk/devices", R"({"count":2,"deviceName":"x"})"), "invalid");
  EXPECT_EQ(error_code(400, "GET", "products?limit=0"), "bad_request");
  EXPECT_EQ(error_code(400, "GET", "products?limit=99999999999999999999"), "bad_request");
  EXPECT_EQ(error_code(400, "GET", "products?secret=true"), "bad_request");
  EXPECT_EQ(error_code(400, "GET", "products/pk/devices?status=asleep"), "invalid");
  EXPECT_EQ(error_code(400, "GET", "devices?prefix=d"), "bad_request");
  EXPECT_EQ(error_code(405, "PUT", "products/pk"), "method_not_allowed");
  EXPECT_EQ(AdminService(*registry_, sessions_).handle("PUT", "/api/v1/products/pk", {}).allow,
            "GET, HEAD, PATCH, DELETE");
  EXPECT_EQ(error_code(404, "GET", "products/pk/"), "not_found");
  EXPECT_EQ(error_code(404, "GET", "nothing"), "not_found");
  EXPECT_EQ(error_code(404, "GET", ""), "not_found");
  EXPECT_EQ(error_code(413, "POST", "products", std::string(kRequestBodyBytesMax + 1, ' ')), "limit_exceeded");
  AdminService service(*registry_, nullptr);
  EXPECT_EQ(service.handle("GET", "", "").status, 404);
  EXPECT_EQ(service.handle("GET", "/api/v1", "").status, 404);
}

TEST_F(AdminServiceTest, a_slip_in_a_key_is_answered_with_the_one_that_was_meant) {
  const json::value answer = send(400, "POST", "products", R"({"productkey":"x"})");
  EXPECT_NE(answer.at("error").at("message").as_string().find("did you mean 'productKey'"), json::string::npos);
}

}  // namespace
}  // namespace mooring::api
