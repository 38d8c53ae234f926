#include "things/alink.h"

#include <gtest/gtest.h>

namespace mooring::things {
namespace {

std::optional<Request> read(std::string_view text, std::string_view list = "deviceList") {
  return read_request(base::as_bytes(text), list);
}

TEST(Alink, one_object) {
  const auto request = read(R"({"id":"1","params":{"productKey":"pk","deviceName":"d","cleanSession":true}})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->id, "1");
  EXPECT_TRUE(request->wants_answer);
  EXPECT_FALSE(request->is_list);
  ASSERT_EQ(request->items.size(), 1U);
  EXPECT_EQ(request->items[0].at("cleanSession"), "true");
  EXPECT_EQ(device_of(request->items[0]), (base::DeviceKey{"pk", "d"}));
}

TEST(Alink, lists_come_in_three_shapes) {
  const auto bare = read(R"({"id":1,"params":[{"deviceName":"a"},{"deviceName":"b"}]})");
  ASSERT_TRUE(bare);
  EXPECT_TRUE(bare->is_list);
  EXPECT_EQ(bare->items.size(), 2U);
  const auto within = read(R"({"id":1,"params":{"signMethod":"hmacSha256","deviceList":[{"deviceName":"a"},)"
                           R"({"deviceName":"b","signMethod":"hmacMd5"}]}})");
  ASSERT_TRUE(within);
  ASSERT_EQ(within->items.size(), 2U);
  EXPECT_EQ(within->items[0].at("signMethod"), "hmacSha256") << "what stands beside the list";
  EXPECT_EQ(within->items[1].at("signMethod"), "hmacMd5") << "its own wins";
  const auto text = read(R"({"id":1,"params":"[{\"deviceName\":\"a\"}]"})");
  ASSERT_TRUE(text);
  EXPECT_EQ(text->items.at(0).at("deviceName"), "a");
}

TEST(Alink, an_identifier_keeps_its_text) {
  EXPECT_EQ(read(R"({"id":123})")->id, "123");
  EXPECT_EQ(read(R"({"id":4294967295})")->id, "4294967295");
  EXPECT_EQ(read(R"({"id":"1|exp-topic|/sys/pk/dn/thing/topo/add"})")->id, "1|exp-topic|/sys/pk/dn/thing/topo/add");
  EXPECT_EQ(read(R"({})")->id, "");
  EXPECT_FALSE(read(R"({"id":{}})"));
  EXPECT_FALSE(read("{\"id\":\"" + std::string(600, 'x') + "\"}"));
}

// platform.md 2.3.
TEST(Alink, what_firmware_writes) {
  EXPECT_TRUE(read("\xEF\xBB\xBF{\"id\":\"1\"}"));
  EXPECT_TRUE(read(std::string_view("{\"id\":\"1\"}\0", 11)));
  EXPECT_TRUE(read("{\"id\":\"1\"}\r\n  "));
  EXPECT_TRUE(read(R"({"id":"1","params":[{"deviceName":"a"},],})"));
  for (const char* empty :
       {R"({"id":"1"})", R"({"params":{}})", R"({"params":[]})", R"({"params":"{}"})", R"({"params":null})"}) {
    const auto request = read(empty);
    ASSERT_TRUE(request) << empty;
    EXPECT_TRUE(request->items.empty()) << empty;
  }
}

TEST(Alink, sys_ack) {
  EXPECT_FALSE(read(R"({"sys":{"ack":0}})")->wants_answer);
  EXPECT_FALSE(read(R"({"sys":{"ack":"0"}})")->wants_answer);
  EXPECT_TRUE(read(R"({"sys":{"ack":1}})")->wants_answer);
  EXPECT_TRUE(read(R"({"sys":5})")->wants_answer);
}

TEST(Alink, what_is_not_understood) {
  for (const char* text : {"", "x", "[]", "1", "{", R"({"params":5})", R"({"params":"x"})", R"({"params":[1]})",
                           R"({"params":{"deviceList":{}}})", R"({"params":[[[[[[[[[[1]]]]]]]]]]})"}) {
    EXPECT_FALSE(read(text)) << text;
  }
  EXPECT_FALSE(read(std::string(kRequestBytesMax + 1, ' ')));
  std::string many = R"({"params":[)";
  for (std::size_t i = 0; i <= kRequestItemsMax; ++i) many += "{},";
  EXPECT_FALSE(read(many + "]}"));
  EXPECT_FALSE(read(std::string(30'000, '[')));
  std::string wide = R"({"params":{"x":1)";
  for (std::size_t i = 0; i < kRequestFieldsMax; ++i) wide += ",\"f" + std::to_string(i) + "\":1";
  EXPECT_FALSE(read(wide + "}}"));
  EXPECT_FALSE(read(R"({"params":{"deviceList":[{}],"beside":")" + std::string(5000, 'x') + "\"}}"));
}

TEST(Alink, members_that_are_no_values_are_left_out) {
  const auto request = read(R"({"params":{"deviceName":"a","more":{"x":1},"list":[1],"none":null}})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->items.at(0), (auth::HttpFields{{"deviceName", "a"}, {"none", ""}}));
}

TEST(Alink, a_device_needs_both_names) {
  EXPECT_FALSE(device_of({{"productKey", "pk"}}));
  EXPECT_FALSE(device_of({{"productKey", "pk"}, {"deviceName", ""}}));
  EXPECT_FALSE(device_of({{"productKey", "pk"}, {"deviceName", std::string(200, 'x')}}));
}

// platform.md 2.4: compact, the envelope first, no escaped slashes.
TEST(Alink, what_is_written) {
  EXPECT_EQ(to_json(Answer{200, "1"}), R"({"code":200,"id":"1","message":"success","data":{}})");
  EXPECT_EQ(to_json(Answer{401, "a\"/b", "the signature is wrong", "thing.topo.add"}),
            R"({"code":401,"id":"a\"/b","message":"the signature is wrong","method":"thing.topo.add",)"
            R"("version":"1.0","data":{}})");
  const base::DeviceKey devices[] = {{"pk", "a"}, {"pk", "b"}};
  EXPECT_EQ(to_json(devices), R"([{"productKey":"pk","deviceName":"a"},{"productKey":"pk","deviceName":"b"}])");
  EXPECT_EQ(to_json(std::span<const base::DeviceKey>()), "[]");
  EXPECT_EQ(topology_change(1, devices[0]), R"({"status":1,"subList":[{"productKey":"pk","deviceName":"a"}]})");
  EXPECT_EQ(session_error("7", 427, "device connect in another place", devices[0]),
            R"({"code":427,"id":"7","message":"device connect in another place",)"
            R"("data":{"productKey":"pk","deviceName":"a"}})");
  EXPECT_EQ(to_message("7", "thing.disable", "{}"),
            R"({"id":"7","version":"1.0","method":"thing.disable","params":{}})");
}

TEST(Alink, the_method_follows_from_the_topic) {
  EXPECT_EQ(method_of("/sys/pk/dn/thing/topo/add"), "thing.topo.add");
  EXPECT_EQ(method_of("/ext/session/pk/dn/combine/login"), "");
  EXPECT_EQ(method_of("/sys/pk"), "");
}

}  // namespace
}  // namespace mooring::things
