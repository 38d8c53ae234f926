#include "deviceapi/request_fields.h"

#include <gtest/gtest.h>

namespace mooring::deviceapi {
namespace {

using auth::HttpFields;

TEST(RequestFields, AFormIsDecoded) {
  EXPECT_EQ(read_form("productKey=pk&deviceName=a%40b%3a1&sign=&x=1+2&x=3&&flag"),
            (HttpFields{{"productKey", "pk"}, {"deviceName", "a@b:1"}, {"sign", ""}, {"x", "3"}, {"flag", ""}}));
  EXPECT_EQ(read_form(" a=b\r\n"), (HttpFields{{"a", "b"}}));
  EXPECT_EQ(read_form(""), HttpFields{});
  for (const char* broken : {"a=%", "a=%4", "a=%zz", "%=b"}) EXPECT_FALSE(read_form(broken)) << broken;
}

TEST(RequestFields, JsonHasTextsAndWholeNumbers) {
  EXPECT_EQ(read_json(R"({"a":"b","timestamp":1700000000000,"n":-1})"),
            (HttpFields{{"a", "b"}, {"timestamp", "1700000000000"}, {"n", "-1"}}));
  for (const char* broken : {"", "[]", "1", "{", R"({"a":1.5})", R"({"a":null})", R"({"a":{"b":"c"}})", R"({"a":"b"}x)",
                             R"({"a":true})", "{\"a\":\"\x01\"}"}) {
    EXPECT_FALSE(read_json(broken)) << broken;
  }
  EXPECT_FALSE(read_json(std::string(5000, '[')));
}

TEST(RequestFields, AreBounded) {
  std::string form;
  std::string json = "{";
  for (std::size_t i = 0; i <= kFieldsMax; ++i) {
    form += "k" + std::to_string(i) + "=v&";
    json += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":\"v\"";
  }
  EXPECT_FALSE(read_form(form));
  EXPECT_FALSE(read_json(json + "}"));
}

TEST(RequestFields, TheContentTypeDecides) {
  http::Request request;
  request.body = R"({"a":"b"})";
  request.fields = {{"Content-Type", "Application/JSON; charset=utf-8"}};
  EXPECT_EQ(read_fields(request), (HttpFields{{"a", "b"}}));
  request.fields.clear();
  EXPECT_NE(read_fields(request), (HttpFields{{"a", "b"}}));
}

}  // namespace
}  // namespace mooring::deviceapi
