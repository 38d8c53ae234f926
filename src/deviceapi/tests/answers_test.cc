#include "deviceapi/answers.h"

#include <gtest/gtest.h>

namespace mooring::deviceapi {
namespace {

http::Request asked(std::string host) {
  http::Request request;
  request.fields = {{"Host", std::move(host)}};
  return request;
}

TEST(Answers, TheRegistrationIsCompactAndFitsTheBufferOfTheSdk) {
  EXPECT_EQ(
      registration_answer({"a1", "dev"}, "s3cret").body,
      R"({"code":200,"data":{"productKey":"a1","deviceName":"dev","deviceSecret":"s3cret"},"message":"success"})");
  EXPECT_LT(registration_answer({std::string(20, 'p'), std::string(64, 'd')}, std::string(32, 's')).body.size(), 256U);
}

TEST(Answers, HaveTheFormsOfTheOriginal) {
  EXPECT_EQ(login_answer("t").body, R"({"code":0,"message":"success","info":{"token":"t"}})");
  EXPECT_EQ(publish_answer(892687627916247040U).body,
            R"({"code":0,"message":"success","info":{"messageId":892687627916247040}})");
  EXPECT_EQ(preauth_answer("id", "tok", {"h", 1883}).body,
            R"({"code":200,"data":{"iotId":"id","iotToken":"tok","resources":{"mqtt":{"host":"h","port":1883}}},)"
            R"("message":"success"})");
  EXPECT_EQ(bootstrap_answer({"h", 443}).body,
            R"({"code":200,"data":{"resources":{"mqtt":{"host":"h","port":443}}},"message":"success"})");
  EXPECT_EQ(refusal_answer({6600, "wrong"}).body, R"({"code":6600,"message":"wrong"})");
  EXPECT_EQ(refusal_answer({6600, "wrong"}).status, 200);
}

TEST(Answers, APlaceIsWhatWasAskedUnlessItIsConfigured) {
  const auto place = [](std::string host, bool tls = true) {
    const MqttPlace found = mqtt_place(asked(std::move(host)), tls, "", 0);
    return found.host + " " + std::to_string(found.port);
  };
  EXPECT_EQ(place("example.org:8443"), "example.org 8443");
  EXPECT_EQ(place("example.org"), "example.org 443");
  EXPECT_EQ(place("192.0.2.1", false), "192.0.2.1 80");
  EXPECT_EQ(place("[2001:db8::1]:1883"), "2001:db8::1 1883");
  for (const char* bad : {"", "a b", "evil\"", "h:", "h:x", "h:70000", "[::1"}) {
    EXPECT_EQ(mqtt_place(asked(bad), true, "", 0).host, "") << bad;
  }
  EXPECT_EQ(mqtt_place(asked("a:1"), true, "mqtt.example.org", 1883).host, "mqtt.example.org");
  EXPECT_EQ(mqtt_place(asked("a:1"), true, "mqtt.example.org", 1883).port, 1883);
}

}  // namespace
}  // namespace mooring::deviceapi
