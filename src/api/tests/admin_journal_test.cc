// What happened to devices, as the admin API tells it.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <map>

#include "api/admin_service.h"
#include "base/text.h"
#include "registry/tests/registry_fixture.h"

namespace mooring::api {
namespace {

namespace json = boost::json;

class FakeLog final : public journal::JournalReader {
 public:
  base::Result<journal::LogPage> read_log(const base::DeviceKey&, const journal::LogQuery& query) override {
    asked = query;
    return page;
  }
  base::Result<std::vector<journal::Entry>> read_strangers(const journal::StrangerQuery& query) override {
    asked_strangers = query;
    return strangers;
  }
  journal::LogPage page;
  std::vector<journal::Entry> strangers;
  journal::LogQuery asked;
  journal::StrangerQuery asked_strangers;
};

class FakeFlights final : public FlightSource {
 public:
  base::Result<std::vector<journal::FlightEntry>> flight(const std::string& key) override { return of[key]; }
  std::map<std::string, std::vector<journal::FlightEntry>> of;
};

class AdminJournalTest : public testing::Test {
 protected:
  void SetUp() override {
    registry_ = fixture_.open();
    ASSERT_NE(registry_, nullptr);
    send(201, "POST", "products", R"({"productKey":"pk","productSecret":"ps"})");
    send(201, "POST", "products/pk/devices", R"({"deviceName":"dn","deviceSecret":"secret"})");
  }
  json::value send(int status, std::string_view method, const std::string& target, const std::string& body = {}) {
    AdminService service(*registry_, nullptr, {}, {log_, flights_});
    const AdminResponse response = service.handle(method, "/api/v1/" + target, body);
    EXPECT_EQ(response.status, status) << target << ": " << response.body;
    return json::parse(response.body);
  }
  static journal::Entry refused() {
    journal::Entry entry;
    entry.id = 7;
    entry.device = {"pk", "dn"};
    entry.at_ms = entry.last_ms = 1'700'000'000'000;
    entry.count = 3;
    entry.action = journal::Action::kRefused;
    entry.code = 6600;
    entry.answer = 4;
    entry.channel = journal::Channel::kWss;
    entry.name = "wrong-signature";
    entry.diagnosis = {"field-order", "text", "advice"};
    return entry;
  }

  registry::SqliteFixture fixture_;
  std::unique_ptr<registry::Registry> registry_;
  FakeLog fake_log_;
  FakeFlights fake_flights_;
  journal::JournalReader* log_ = &fake_log_;
  FlightSource* flights_ = &fake_flights_;
};

TEST_F(AdminJournalTest, TheLogOfADevice) {
  fake_log_.page.entries = {refused()};
  fake_log_.page.more = true;
  fake_log_.page.revision = 42;
  const json::value answer =
      send(200, "GET", "products/pk/devices/dn/log?limit=5&cursor=9&after=3&since=100&action=refused,online");
  EXPECT_EQ(fake_log_.asked.limit, 5U);
  EXPECT_EQ(fake_log_.asked.before_id, 9);
  EXPECT_EQ(fake_log_.asked.after_revision, 3);
  EXPECT_EQ(fake_log_.asked.since_ms, 100);
  EXPECT_EQ(fake_log_.asked.actions, (std::vector{journal::Action::kRefused, journal::Action::kOnline}));
  EXPECT_EQ(answer.at("revision"), 42);
  EXPECT_EQ(answer.at("nextCursor"), "7");
  const json::value& item = answer.at("items").at(0);
  EXPECT_EQ(item.at("time"), "2023-11-14T22:13:20.000Z");
  EXPECT_EQ(item.at("action"), "refused");
  EXPECT_EQ(item.at("transport"), "wss");
  EXPECT_EQ(item.at("answer"), 4);
  EXPECT_EQ(item.at("diagnosis").at("name"), "field-order");
}

TEST_F(AdminJournalTest, WrongQuestions) {
  for (const char* query : {"limit=0", "limit=1001", "cursor=x", "after=-1", "since=now", "action=dancing", "limt=5"}) {
    send(400, "GET", std::string("products/pk/devices/dn/log?") + query);
  }
  send(404, "GET", "products/pk/devices/nobody/log");
  send(405, "POST", "products/pk/devices/dn/log");
  send(400, "GET", "products/pk/devices/dn/flight?format=pdf");
}

TEST_F(AdminJournalTest, TheDoctorAlsoKnowsNamesThatDoNotExist) {
  fake_log_.strangers = {refused()};
  fake_log_.page.entries = {refused(), refused()};
  fake_log_.page.entries[1].id = 8;
  json::value answer = send(200, "GET", "products/pk/devices/dn/doctor");
  EXPECT_EQ(answer.at("registered"), true);
  EXPECT_EQ(answer.at("findings").at(0).at("id"), 8);  // newest first
  EXPECT_TRUE(fake_log_.asked_strangers.any_case);
  answer = send(200, "GET", "products/pk/devices/DN/doctor");
  EXPECT_EQ(answer.at("registered"), false);
  EXPECT_EQ(answer.at("similarRefusals").as_array().size(), 1U);
}

TEST_F(AdminJournalTest, PacketsAndTheirCapture) {
  journal::FlightEntry connect;
  connect.at_ms = 1'700'000'000'000;
  connect.first_byte = 0x10;
  connect.bytes = 99;
  connect.packet_id = 60;
  connect.result = 0x84;
  connect.topic = "pk.dn";
  connect.topic_bytes = 5;
  connect.payload = "192.0.2.7:5";
  fake_flights_.of[journal::FlightRecorder::key_of_device("pk", "dn")] = {connect};
  fake_flights_.of[journal::FlightRecorder::key_of_account("backend", "c/1")] = {connect, connect};
  const json::value answer = send(200, "GET", "products/pk/devices/dn/flight");
  const json::value& item = answer.at("items").at(0);
  EXPECT_EQ(item.at("type"), "CONNECT");
  EXPECT_EQ(item.at("cleanSession"), true);
  EXPECT_EQ(item.at("protocolLevel"), 4);
  EXPECT_EQ(item.at("address"), "192.0.2.7:5");
  EXPECT_EQ(send(200, "GET", "accounts/backend/flight?clientId=c%2F1").at("items").as_array().size(), 2U);
  const json::value capture = send(200, "GET", "products/pk/devices/dn/flight?format=pcapng");
  const auto bytes = base::from_hex(std::string_view(capture.at("pcapng").as_string()));
  ASSERT_TRUE(bytes);
  EXPECT_EQ((*bytes)[0], 0x0A);
}

TEST_F(AdminJournalTest, WithoutAServerOrALog) {
  log_ = nullptr;
  flights_ = nullptr;
  EXPECT_TRUE(send(200, "GET", "products/pk/devices/dn/log").at("items").as_array().empty());
  EXPECT_TRUE(send(200, "GET", "products/pk/devices/dn/doctor").at("findings").as_array().empty());
  EXPECT_TRUE(send(200, "GET", "refusals").at("items").as_array().empty());
  EXPECT_EQ(send(503, "GET", "products/pk/devices/dn/flight").at("error").at("code"), "not_running");
}

}  // namespace
}  // namespace mooring::api
