#include "auth/child_sign_in.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>
#include <map>
#include <sstream>

#include "base/text.h"

namespace mooring::auth {
namespace {

namespace json = boost::json;

const base::DeviceKey kGateway{"pk", "gate"};
const base::DeviceKey kChild{"pk", "dev1"};
constexpr std::string_view kSecret = "0123456789abcdef0123456789abcdef";

CredentialRecord record() {
  CredentialRecord known;
  known.device_secret = kSecret;
  return known;
}

// Signed as platform.md 7.4 has it, independently of the code under test.
HttpFields login(std::string_view secret = kSecret) {
  HttpFields fields{
      {"productKey", "pk"}, {"deviceName", "dev1"},       {"clientId", "pk.dev1|_ss=1,_v=sdk-c-4.2.0,ext=3|"},
      {"timestamp", "123"}, {"signMethod", "hmacSha256"}, {"cleanSession", "true"}};
  const crypto::Mac mac =
      crypto::hmac(crypto::HmacMethod::kSha256, secret,
                   {"clientIdpk.dev1|_ss=1,_v=sdk-c-4.2.0,ext=3|deviceNamedev1productKeypktimestamp123"});
  fields["sign"] = base::to_hex(mac.view());
  return fields;
}

int code(const HttpFields& fields, const CredentialRecord* known, ChildProof proof = ChildProof::kLogin,
         const base::DeviceKey& owner = kGateway, const base::DeviceKey& gateway = kGateway) {
  const auto child = begin_child_sign_in(fields);
  if (!child) return child.error().code;
  const auto refusal = check_child(proof, *child, known, gateway, owner == gateway);
  return refusal ? refusal->code : 200;
}
int code(const HttpFields& fields, ChildProof proof = ChildProof::kLogin) {
  const CredentialRecord known = record();
  return code(fields, &known, proof);
}

TEST(ChildSignIn, what_the_child_says_of_itself_is_taken_from_its_client_id) {
  const auto child = begin_child_sign_in(login());
  ASSERT_TRUE(child);
  EXPECT_EQ(child->device, kChild);
  EXPECT_EQ(child->client_id, "pk.dev1");
  EXPECT_TRUE(child->auto_subscribe);
  EXPECT_EQ(child->ext_bits, 3U);
  EXPECT_EQ(child->facts.sdk_version, "sdk-c-4.2.0");
  EXPECT_TRUE(child->clean_session);
}

TEST(ChildSignIn, clean_session_is_text_or_truth) {
  for (const auto& [value, clean] : std::map<std::string, bool>{{"true", true}, {"false", false}, {"False", false}}) {
    HttpFields fields = login();
    fields["cleanSession"] = value;
    EXPECT_EQ(begin_child_sign_in(fields)->clean_session, clean) << value;
    EXPECT_EQ(code(fields), 200) << "it is not signed";
  }
  HttpFields fields = login();
  fields.erase("cleanSession");
  EXPECT_TRUE(begin_child_sign_in(fields)->clean_session);
  EXPECT_EQ(code(fields), 200);
}

TEST(ChildSignIn, every_other_field_is_signed) {
  for (const char* name : {"timestamp", "clientId", "more"}) {
    HttpFields fields = login();
    fields[name] = "other";
    EXPECT_EQ(code(fields), 6287) << name;
  }
}

TEST(ChildSignIn, a_field_that_is_not_sent_is_not_signed) {
  HttpFields fields{{"productKey", "pk"}, {"deviceName", "dev1"}, {"signmethod", "HMACSHA1"}};
  fields["sign"] =
      base::to_hex(crypto::hmac(crypto::HmacMethod::kSha1, kSecret, {"deviceNamedev1productKeypk"}).view());
  EXPECT_EQ(code(fields), 200);
}

TEST(ChildSignIn, codes_of_a_login_in_their_order) {
  CredentialRecord known = record();
  EXPECT_EQ(code(login(), nullptr), 6100);
  EXPECT_EQ(code(login("another secret"), &known, ChildProof::kLogin, {}), 6401) << "before the signature";
  EXPECT_EQ(code(login(), &known, ChildProof::kLogin, {"pk", "another gateway"}), 6401);
  EXPECT_EQ(code(login("another secret"), &known), 6287);
  known.disabled = true;
  EXPECT_EQ(code(login("another secret"), &known), 6287) << "who cannot prove it learns nothing";
  EXPECT_EQ(code(login(), &known), 522);
  known = record();
  known.kind = CredentialRecord::Kind::kX509;
  EXPECT_EQ(code(login(), &known), 6287);
  known = record();
  known.device_secret.clear();
  EXPECT_EQ(code(login(""), &known), 6287) << "no secret is not the empty secret";
}

TEST(ChildSignIn, codes_of_the_topology) {
  CredentialRecord known = record();
  const auto topology = ChildProof::kTopology;
  EXPECT_EQ(code(login(), &known, topology, {}), 200) << "of nobody's child";
  EXPECT_EQ(code(login(), &known, topology, {"pk", "another gateway"}), 200) << "it moves";
  EXPECT_EQ(code(login(), nullptr, topology, {}), 6100);
  EXPECT_EQ(code(login("another secret"), &known, topology, {}), 401);
  EXPECT_EQ(code(login(), &known, topology, {}, kChild), 6402);
  known.disabled = true;
  EXPECT_EQ(code(login(), &known, topology, {}), 6204);
}

TEST(ChildSignIn, malformed_fields) {
  for (const char* name : {"productKey", "deviceName", "sign"}) {
    HttpFields fields = login();
    fields.erase(name);
    EXPECT_EQ(code(fields), 460) << name;
    fields[name] = "";
    EXPECT_EQ(code(fields), 460) << name;
    fields[name] = std::string(2000, 'x');
    EXPECT_EQ(code(fields), 460) << name;
  }
  HttpFields fields = login();
  fields["signMethod"] = "crc32";
  EXPECT_EQ(code(fields), 460);
  fields = login();
  for (int i = 0; i < 20; ++i) fields["more" + std::to_string(i)] = "x";
  EXPECT_EQ(code(fields), 460);
  fields = login();
  fields["sign"] = "no hexadecimal";
  EXPECT_EQ(code(fields), 6287);
}

TEST(ChildSignIn, every_code_has_a_name_and_a_text) {
  for (const int known :
       {400, 401, 427, 428, 429, 460, 500, 520, 521, 522, 5005, 6100, 6204, 6287, 6288, 6289, 6400, 6401, 6402, 6619}) {
    EXPECT_EQ(child_refusal(known).code, known);
    EXPECT_FALSE(child_refusal(known).text.empty());
    EXPECT_TRUE(child_refusal(known).name.starts_with("child-"));
  }
}

// g01 to g05 of tests/data/sign_vectors.json.
TEST(ChildSignIn, the_vectors) {
  const std::ifstream file(std::string(MOORING_TEST_DATA) + "/sign_vectors.json");
  std::ostringstream text;
  text << file.rdbuf();
  const json::value document = json::parse(text.str());
  int checked = 0;
  for (const json::value& vector : document.at("vectors").as_array()) {
    const std::string kind(vector.at("kind").as_string());
    if (kind != "subdevice_login" && kind != "topo_add") continue;
    HttpFields fields;
    for (const auto& [name, value] : vector.at("request").at("fields").as_object()) {
      fields[std::string(name)] = std::string(value.as_string());
    }
    const base::DeviceKey gateway{"a1ExampleK1", "dev001"};
    CredentialRecord known;
    for (const json::value& device : document.at("registry").at("devices").as_array()) {
      if (device.at("deviceName").as_string() != fields["deviceName"].c_str()) continue;
      known.device_secret = std::string(device.at("deviceSecret").as_string());
    }
    ASSERT_FALSE(known.device_secret.empty());
    const auto child = begin_child_sign_in(fields);
    ASSERT_TRUE(child);
    const std::string& signed_text = std::string(vector.at("id").as_string()).find("old-rule") == std::string::npos
                                         ? child->content
                                         : child->old_content;
    EXPECT_EQ(signed_text, std::string(vector.at("sign").at("content").as_string()));
    const auto refusal =
        check_child(kind == "topo_add" ? ChildProof::kTopology : ChildProof::kLogin, *child, &known, gateway, true);
    EXPECT_EQ(refusal ? refusal->code : 200, vector.at("expect").at("code").as_int64()) << vector.at("id");
    ++checked;
  }
  EXPECT_EQ(checked, 5);
}

}  // namespace
}  // namespace mooring::auth
