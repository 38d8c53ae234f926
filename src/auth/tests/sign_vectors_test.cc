// Runs the admission vectors of tests/data/sign_vectors.json through begin() and finish().
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "auth/device_http.h"
#include "auth/sign_in.h"
#include "auth/signature.h"
#include "base/text.h"
#include "crypto/secret_hash.h"

namespace mooring::auth {
namespace {

namespace json = boost::json;

// Client certificates are not offered. The iotToken of p41 stands for one that the server issued: sign_in_test has
// these.
const std::set<std::string> kNotOffered{"p40-x509", "p41-preauth"};

const json::object& document() {
  static const json::value instance = [] {
    const std::ifstream file(std::string(MOORING_TEST_DATA) + "/sign_vectors.json");
    std::ostringstream text;
    text << file.rdbuf();
    return json::parse(text.str());
  }();
  return instance.as_object();
}

std::string text_of(const json::value& value) {
  return value.is_null() ? std::string() : std::string(value.as_string());
}

std::map<base::DeviceKey, CredentialRecord> registry() {
  std::map<base::DeviceKey, CredentialRecord> devices;
  for (const json::value& device : document().at("registry").at("devices").as_array()) {
    CredentialRecord record;
    record.device_secret = text_of(device.at("deviceSecret"));
    record.disabled = text_of(device.at("status")) == "disabled";
    if (const json::value* token = device.as_object().if_contains("deviceToken")) {
      record.tokens = {{text_of(device.at("clientId")), crypto::token_hash(text_of(*token)), true}};
    }
    devices[{text_of(device.at("productKey")), text_of(device.at("deviceName"))}] = record;
  }
  return devices;
}

SignInPolicy policy_of(const json::object& vector) {
  SignInPolicy policy;
  if (const json::value* config = vector.if_contains("config")) {
    if (const auto* strict = config->as_object().if_contains("strictSecureMode")) {
      policy.strict_secure_mode = strict->as_bool();
    }
    if (const auto* over_max = config->as_object().if_contains("keepAliveOverMax")) {
      if (text_of(*over_max) == "clamp") policy.keep_alive_over_max = KeepAliveOverMax::kClamp;
    }
  }
  return policy;
}

tl::expected<SignedIn, Refusal> attempt_vector(const json::object& vector) {
  const json::object& connect = vector.at("connect").as_object();
  const std::string client_id = text_of(connect.at("clientId"));
  const std::string user_name = text_of(connect.at("username"));
  const std::string password = text_of(connect.at("password"));
  const std::string transport = text_of(vector.at("transport"));
  ConnectAttempt attempt;
  attempt.protocol_level = static_cast<std::uint8_t>(connect.at("protocolLevel").as_int64());
  attempt.client_id = client_id;
  attempt.user_name = user_name;
  attempt.password = base::as_bytes(password);
  attempt.keep_alive_s = static_cast<std::uint16_t>(connect.at("keepAlive").as_int64());
  attempt.clean_session = connect.at("cleanSession").as_bool();
  attempt.tls = transport == "tls" || transport == "wss";
  attempt.websocket = transport == "ws" || transport == "wss";
  const SignInPolicy policy = policy_of(vector);
  auto pending = begin(attempt, policy);
  if (!pending) return tl::unexpected(pending.error());
  EXPECT_FALSE(pending->registration);
  const auto devices = registry();
  const auto device = devices.find(pending->device);
  return finish(std::move(*pending), policy, device == devices.end() ? nullptr : &device->second);
}

void expect_facts(const json::object& params, const DeviceFacts& facts) {
  const std::pair<const char*, const std::string*> fields[] = {
      {"_v", &facts.sdk_version}, {"lan", &facts.language},  {"os", &facts.system},   {"gw", &facts.gateway},
      {"pid", &facts.partner_id}, {"mid", &facts.module_id}, {"sii", &facts.network},
  };
  for (const auto& [key, fact] : fields) {
    const json::value* value = params.if_contains(key);
    EXPECT_EQ(*fact, value != nullptr ? base::trim(text_of(*value)) : std::string_view()) << key;
  }
}

void expect_accepted(const json::object& vector, const SignedIn& result) {
  const json::object& parsed = vector.at("parsed").as_object();
  const json::object& params = parsed.at("params").as_object();
  EXPECT_EQ(result.device.product_key, text_of(vector.at("registered").at("productKey")));
  EXPECT_EQ(result.device.device_name, text_of(vector.at("registered").at("deviceName")));
  EXPECT_EQ(result.base_client_id, text_of(parsed.at("baseClientId")));
  const json::value* effective = vector.if_contains("effectiveKeepAlive");
  const json::value& sent = vector.at("connect").at("keepAlive");
  EXPECT_EQ(result.keep_alive_s, (effective != nullptr ? *effective : sent).as_int64());
  EXPECT_EQ(result.auto_subscribe, params.contains("_ss"));
  EXPECT_EQ(std::to_string(result.ext_bits), params.contains("ext") ? text_of(params.at("ext")) : "0");
  expect_facts(params, result.facts);
}

TEST(SignVectors, EveryConnectVectorGetsItsAnswer) {
  int checked = 0;
  for (const json::value& entry : document().at("vectors").as_array()) {
    const json::object& vector = entry.as_object();
    const std::string id = text_of(vector.at("id"));
    if (text_of(vector.at("kind")) != "mqtt_connect" || kNotOffered.contains(id)) continue;
    SCOPED_TRACE(id);
    ++checked;
    const json::object& expect = vector.at("expect").as_object();
    const auto result = attempt_vector(vector);
    ASSERT_EQ(result.has_value(), expect.at("accept").as_bool());
    if (result) {
      expect_accepted(vector, *result);
    } else {
      EXPECT_EQ(result.error().connack_v3, expect.at("connackV3").as_int64());
      EXPECT_EQ(result.error().reason_v5, expect.at("reasonV5").as_int64());
    }
  }
  EXPECT_EQ(checked, 76 - static_cast<int>(kNotOffered.size()));
}

std::optional<std::string> product_secret(const std::string& product_key) {
  for (const json::value& product : document().at("registry").at("products").as_array()) {
    if (text_of(product.at("productKey")) == product_key) return text_of(product.at("productSecret"));
  }
  return std::nullopt;
}

std::optional<Refusal> register_vector(const json::object& vector) {
  const json::object& connect = vector.at("connect").as_object();
  const std::string client_id = text_of(connect.at("clientId"));
  const std::string user_name = text_of(connect.at("username"));
  const std::string password = text_of(connect.at("password"));
  ConnectAttempt attempt;
  attempt.client_id = client_id;
  attempt.user_name = user_name;
  attempt.password = base::as_bytes(password);
  attempt.keep_alive_s = static_cast<std::uint16_t>(connect.at("keepAlive").as_int64());
  attempt.tls = text_of(vector.at("transport")) == "tls";
  const auto pending = begin(attempt, {});
  if (!pending) return pending.error();
  EXPECT_TRUE(pending->registration);
  const auto secret = product_secret(pending->device.product_key);
  const auto reason = check_registration(*pending->registration, secret);
  return reason ? std::optional(Refusal::of(*reason)) : std::nullopt;
}

// What the registry decides then (not pre-registered, activated) is in its own tests.
TEST(SignVectors, EveryRegistrationVectorGetsItsAnswer) {
  const std::set<std::string> of_the_registry{"d11-not-preregistered", "d12-already-activated"};
  int checked = 0;
  for (const json::value& entry : document().at("vectors").as_array()) {
    const json::object& vector = entry.as_object();
    if (text_of(vector.at("kind")) != "mqtt_register") continue;
    const std::string id = text_of(vector.at("id"));
    SCOPED_TRACE(id);
    ++checked;
    const json::object& expect = vector.at("expect").as_object();
    const auto refusal = register_vector(vector);
    EXPECT_EQ(!refusal, expect.at("accept").as_bool() || of_the_registry.contains(id));
    if (!refusal) continue;
    EXPECT_EQ(refusal->connack_v3, expect.at("connackV3").as_int64());
    EXPECT_EQ(refusal->reason_v5, expect.at("reasonV5").as_int64());
  }
  EXPECT_EQ(checked, 13);
}

HttpFields fields_of(const json::object& request) {
  HttpFields fields;
  for (const auto& [name, value] : request.at("fields").as_object()) fields[std::string(name)] = text_of(value);
  return fields;
}

int http_code(const json::object& vector) {
  const std::string kind = text_of(vector.at("kind"));
  const json::object& request = vector.at("request").as_object();
  const HttpFields fields = fields_of(request);
  if (kind == "https_register") {
    const auto begun = begin_http_registration(fields);
    if (!begun) return begun.error().code;
    const auto secret = product_secret(begun->device.product_key);
    const auto reason = check_registration(*begun, secret);
    return reason ? registration_refusal(Refusal::of(*reason)).code : 200;
  }
  const HttpService service = kind == "https_auth" ? HttpService::kLogin : HttpService::kPreauth;
  const json::value* clock = request.if_contains("serverClockMs");
  const auto begun = begin_http_sign_in(service, fields, clock != nullptr ? clock->as_int64() : 0);
  if (!begun) return begun.error().code;
  EXPECT_EQ(begun->content, text_of(vector.at("sign").at("content")));
  const auto devices = registry();
  const auto device = devices.find(begun->device);
  const auto refusal = finish_http_sign_in(service, *begun, device == devices.end() ? nullptr : &device->second);
  return refusal ? refusal->code : service == HttpService::kLogin ? 0 : 200;
}

TEST(SignVectors, EveryHttpVectorGetsItsCode) {
  int checked = 0;
  for (const json::value& entry : document().at("vectors").as_array()) {
    const json::object& vector = entry.as_object();
    if (!text_of(vector.at("kind")).starts_with("https_")) continue;
    SCOPED_TRACE(text_of(vector.at("id")));
    ++checked;
    EXPECT_EQ(http_code(vector), vector.at("expect").at("code").as_int64());
  }
  EXPECT_EQ(checked, 8);
}

TEST(SignVectors, ContentAndCode) {
  int checked = 0;
  for (const json::value& entry : document().at("vectors").as_array()) {
    const json::object& vector = entry.as_object();
    const std::string id = text_of(vector.at("id"));
    if (text_of(vector.at("kind")) != "mqtt_connect" || !id.starts_with('p') || vector.at("sign").is_null()) continue;
    SCOPED_TRACE(id);
    ++checked;
    const json::object& sign = vector.at("sign").as_object();
    const std::string client_id_text = text_of(vector.at("connect").at("clientId"));
    const auto client_id = parse_client_id(client_id_text);
    ASSERT_TRUE(client_id);
    const std::string product_key = text_of(vector.at("registered").at("productKey"));
    const std::string device_name = text_of(vector.at("registered").at("deviceName"));
    const SignedFields fields{client_id->base, {product_key, device_name}, client_id->timestamp};
    EXPECT_EQ(signed_content(fields), text_of(sign.at("content")));
    const auto method = crypto::parse_hmac_method(text_of(sign.at("method")));
    ASSERT_TRUE(method);
    EXPECT_EQ(connect_password(*method, text_of(sign.at("key")), fields), text_of(sign.at("macHex")));
  }
  EXPECT_GE(checked, 38);
}

}  // namespace
}  // namespace mooring::auth
