#include "auth/device_http.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace mooring::auth {
namespace {

constexpr base::WallMs kNow = 1'700'000'000'000;
constexpr std::string_view kSecret = "0123456789abcdef0123456789abcdef";
const std::string kKey(64, 'k');

CredentialRecord record() {
  CredentialRecord found;
  found.device_secret = kSecret;
  return found;
}

HttpFields login(std::string timestamp = {}) {
  HttpFields fields{{"productKey", "pk"}, {"deviceName", "dn"}, {"clientId", "c"}};
  std::string content = "clientIdcdeviceNamedn" + std::string("productKeypk");
  if (!timestamp.empty()) {
    content += "timestamp" + timestamp;
    fields["timestamp"] = std::move(timestamp);
  }
  fields["sign"] = base::to_hex(crypto::hmac(crypto::HmacMethod::kMd5, kSecret, {content}).view());
  return fields;
}

int login_code(const HttpFields& fields, const CredentialRecord* found) {
  const auto begun = begin_http_sign_in(HttpService::kLogin, fields, kNow);
  if (!begun) return begun.error().code;
  const auto refusal = finish_http_sign_in(HttpService::kLogin, *begun, found);
  return refusal ? refusal->code : 0;
}

TEST(DeviceHttp, LoginKnowsTheTimeWithin15Minutes) {
  const CredentialRecord known = record();
  for (const base::WallMs off : {base::WallMs{0}, kLoginWindowMs, -kLoginWindowMs}) {
    EXPECT_EQ(login_code(login(std::to_string(kNow + off)), &known), 0) << off;
  }
  for (const base::WallMs off : {kLoginWindowMs + 1, -kLoginWindowMs - 1, -kNow}) {
    EXPECT_EQ(login_code(login(std::to_string(kNow + off)), &known), 20000) << off;
  }
  for (const char* text : {"x", "-1", "1e12", "99999999999999999999", " 1700000000000"}) {
    EXPECT_EQ(login_code(login(text), &known), 10001) << text;
  }
}

TEST(DeviceHttp, LoginRefusals) {
  CredentialRecord known = record();
  for (const char* field : {"productKey", "deviceName", "clientId", "sign"}) {
    HttpFields fields = login();
    fields.erase(field);
    EXPECT_EQ(login_code(fields, &known), 10001) << field;
  }
  HttpFields fields = login();
  fields["signmethod"] = "none";
  EXPECT_EQ(login_code(fields, &known), 10001);
  fields = login();
  fields["extra"] = "is signed as well";
  EXPECT_EQ(login_code(fields, &known), 20000);
  EXPECT_EQ(login_code(login(), nullptr), 20000);
  known.disabled = true;
  EXPECT_EQ(login_code(login(), &known), 20000);
  known.device_secret.clear();
  EXPECT_EQ(login_code(login(), &known), 20000);
}

TEST(DeviceHttp, PreauthRefusals) {
  const auto code = [](const HttpFields& fields, const CredentialRecord* found) {
    const auto begun = begin_http_sign_in(HttpService::kPreauth, fields, kNow);
    if (!begun) return begun.error().code;
    const auto refusal = finish_http_sign_in(HttpService::kPreauth, *begun, found);
    return refusal ? refusal->code : 200;
  };
  CredentialRecord known = record();
  HttpFields fields = login("1");  // no window here
  fields["resources"] = "mqtt";
  EXPECT_EQ(code(fields, &known), 200);
  EXPECT_EQ(code(fields, nullptr), 5001);
  known.kind = CredentialRecord::Kind::kX509;
  EXPECT_EQ(code(fields, &known), 6200);
  known = record();
  known.disabled = true;
  EXPECT_EQ(code(fields, &known), 6204);
  fields["sign"] = "00";
  EXPECT_EQ(code(fields, &known), 401);
  fields.erase("sign");
  EXPECT_EQ(code(fields, &known), 460);
}

TEST(DeviceHttp, RegistrationCodes) {
  HttpFields fields{{"productKey", "pk"}, {"deviceName", "dn"}, {"random", "r"}, {"sign", "00"}};
  EXPECT_TRUE(begin_http_registration(fields));
  fields["signMethod"] = "hmacsha512";
  EXPECT_EQ(begin_http_registration(fields).error().code, 6292);
  fields["signMethod"] = "HmacSha1";
  EXPECT_EQ(begin_http_registration(fields)->method, crypto::HmacMethod::kSha1);
  fields["random"] = std::string(kRandomBytesMax + 1, 'r');
  EXPECT_EQ(begin_http_registration(fields).error().code, 460);
  fields["random"] = "";
  EXPECT_EQ(begin_http_registration(fields).error().code, 460);
  EXPECT_EQ(registration_refusal(Refusal::of(RefusalReason::kRegistrationActivated)).code, 6289);
  EXPECT_EQ(registration_refusal(Refusal::of(RefusalReason::kRegistrationOff)).code, 6288);
  EXPECT_EQ(registration_refusal(Refusal::of(RefusalReason::kUnavailable)).code, 500);
}

TEST(DeviceHttp, PublishTokens) {
  CredentialRecord known = record();
  const std::string token = issue_token(kKey, TokenUse::kHttp, {{"pk", "dn"}, kSecret, 0, 0}, kNow);
  EXPECT_TRUE(is_sealed(kKey, TokenUse::kHttp, *parse_token(token)));
  EXPECT_FALSE(is_sealed(kKey, TokenUse::kMqtt, *parse_token(token)));
  EXPECT_FALSE(is_sealed(std::string(32, 'x'), TokenUse::kHttp, *parse_token(token)));
  for (std::string other : {token + "x", std::string(token).replace(3, 1, "9")}) {
    EXPECT_FALSE(is_sealed(kKey, TokenUse::kHttp, *parse_token(other))) << "another device, a later end";
  }
  EXPECT_LE(token.size(), kTokenBytesMax);
  const auto code = [&](const CredentialRecord* found, base::WallMs now_ms) {
    const auto refusal = check_publish_token(*parse_token(token), kKey, found, now_ms);
    return refusal ? refusal->code : 0;
  };
  EXPECT_EQ(code(&known, kNow), 0);
  EXPECT_EQ(code(&known, kNow + kTokenLifeMs), 20001);
  EXPECT_EQ(code(nullptr, kNow), 20003);
  known.disabled = true;
  EXPECT_EQ(code(&known, kNow), 20000);
  known.token_generation = 1;
  EXPECT_EQ(code(&known, kNow), 20003);
}

TEST(ServerToken, TheLongestNamesFitTheBuffersOfTheSdk) {
  const std::string product_key(20, 'p');
  const std::string device_name(64, 'd');
  const std::string token = issue_token(kKey, TokenUse::kHttp, {{product_key, device_name}, kSecret, 1, 1}, kNow);
  EXPECT_LE(token.size(), kTokenBytesMax);
  const auto claim = parse_token(token);
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->device.product_key, product_key);
  EXPECT_EQ(claim->device.device_name, device_name);
}

TEST(ServerToken, WhatIsNoTokenIsNoTokenAndWhatLooksLikeOneDoes) {
  for (const char* text : {"", "^1^", "^1^1^^pk^dn", "^1^x^00112233445566778899aabbccddeeff0011223344556677^pk^dn",
                           "^1^1^00112233445566778899aabbccddeeff0011223344556677^pk",
                           "^1^1^00112233445566778899aabbccddeeff0011223344556677^pk^",
                           "^1^1^00112233445566778899aabbccddeeff0011223344556677^pk^dn^",
                           "^1^01^00112233445566778899aabbccddeeff0011223344556677^pk^dn",
                           "^1^-1^00112233445566778899aabbccddeeff0011223344556677^pk^dn", "^1^1^0011^pk^dn"}) {
    EXPECT_FALSE(parse_token(text)) << text;
  }
  EXPECT_TRUE(parse_token("^1^1^00112233445566778899aabbccddeeff0011223344556677^pk^dn"));
  EXPECT_FALSE(parse_token("^1^1^00112233445566778899aabbccddeeff0011223344556677^pk^" + std::string(200, 'd')));
  EXPECT_TRUE(looks_like_token("^1^1700000000000^feedfacecafe001"));
  EXPECT_FALSE(looks_like_token("^1^secret^"));
  EXPECT_FALSE(looks_like_token("^1^1700000000000"));
  EXPECT_FALSE(looks_like_token("correct horse"));
}

}  // namespace
}  // namespace mooring::auth
