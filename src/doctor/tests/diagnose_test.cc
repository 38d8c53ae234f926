// One row per mistake: what a device did, and the name of what the doctor says.
#include "doctor/diagnose.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "auth/sign_in.h"
#include "auth/signature.h"
#include "base/text.h"
#include "crypto/hmac.h"

namespace mooring::doctor {
namespace {

using crypto::HmacMethod;

const std::string kPk = "a1DoctorPk1";
const std::string kDn = "Meter-7";
const std::string kSecret = "0a1B2c3D4e5F60718293a4b5c6d7e8f9";
const std::string kProductSecret = "ProductSecret123";
const std::string kTime = "1700000000000";

std::string hex(HmacMethod method, const std::string& key, const std::string& text) {
  return base::to_hex(crypto::hmac(method, key, {text}).view());
}

struct Patient {
  journal::SignInAttempt attempt;
  RegistryFacts facts;
  Policy policy;
  std::string refusal = "wrong-signature";

  Patient() {
    attempt.has_user_name = attempt.has_password = true;
    attempt.user_name = kDn + "&" + kPk;
    attempt.keep_alive_s = 60;
    send("hmacsha256");
    facts.product_exists = facts.device_exists = true;
    facts.product_secret = kProductSecret;
    facts.device_secret = kSecret;
    facts.neighbours = {{"Meter-1", "11111111111111111111111111111111"},
                        {kDn, kSecret},
                        {"Meter-8", "88888888888888888888888888888888"}};
    policy.instance_id = "iot-here";
  }
  // What the client identifier says.
  void send(const std::string& method, const std::string& more = "", bool with_time = true) {
    attempt.client_id =
        kPk + "." + kDn + "|securemode=3,signmethod=" + method + (with_time ? ",timestamp=" + kTime : "") + more + "|";
  }
  // What was signed.
  void sign(const std::string& text, const std::string& key = kSecret, HmacMethod method = HmacMethod::kSha256) {
    attempt.password = hex(method, key, text);
  }
  std::string right(bool with_time = true) const {
    return "clientId" + kPk + "." + kDn + "deviceName" + kDn + "productKey" + kPk +
           (with_time ? "timestamp" + kTime : "");
  }
  journal::Diagnosis diagnosis() {
    Budget budget(kHmacsPerCase);
    const auto device = auth_device();
    return diagnose({refusal, attempt, device, facts, policy}, budget);
  }
  base::DeviceKey auth_device() const {
    const std::size_t at = attempt.user_name.find('&');
    if (at == std::string::npos) return {};
    return {attempt.user_name.substr(at + 1), attempt.user_name.substr(0, at)};
  }
};

struct Row {
  const char* name;
  std::function<void(Patient&)> mistake;
  const char* advice = "";  // a part of it
};

class DiagnoseTest : public ::testing::TestWithParam<Row> {};

TEST_P(DiagnoseTest, NamesTheMistake) {
  Patient patient;
  GetParam().mistake(patient);
  const journal::Diagnosis found = patient.diagnosis();
  EXPECT_EQ(found.name, GetParam().name) << found.text;
  EXPECT_FALSE(found.text.empty());
  EXPECT_FALSE(found.advice.empty());
  EXPECT_NE(found.advice.find(GetParam().advice), std::string::npos) << found.advice;
  // What it says is for logs and screens: no secret, no code.
  const std::string all = found.text + found.advice;
  for (const std::string& secret : {kSecret, kProductSecret, patient.facts.neighbours[0].device_secret,
                                    hex(HmacMethod::kSha256, kSecret, patient.right())}) {
    EXPECT_EQ(all.find(secret), std::string::npos) << all;
  }
}

// Dynamic registration: what the client identifier says, and what was signed.
void registers(Patient& p, const std::string& text, const std::string& key = kProductSecret,
               HmacMethod method = HmacMethod::kSha256, const char* announced = "hmacsha256") {
  p.refusal = "registration-signature";
  p.attempt.client_id =
      kDn + "." + kPk + "|securemode=2,authType=register,random=42,signmethod=" + std::string(announced) + "|";
  p.sign(text, key, method);
}
const std::string kRegistration = "deviceName" + kDn + "productKey" + kPk + "random42";

void is_refused(Patient& p, const char* refusal, const char* auth_type = "register") {
  p.refusal = refusal;
  p.attempt.client_id = kDn + "." + kPk + "|securemode=2,authType=" + auth_type + ",random=42|";
}

const Row kRows[] = {
    {"product-secret-wrong", [](Patient& p) { registers(p, kRegistration, "no product has this"); }, "product show"},
    {"device-secret", [](Patient& p) { registers(p, kRegistration, kSecret); }, "product secret"},
    {"secret-with-newline", [](Patient& p) { registers(p, kRegistration, kProductSecret + "\n"); }, "Remove it"},
    {"other-signmethod", [](Patient& p) { registers(p, kRegistration, kProductSecret, HmacMethod::kSha1); },
     "signmethod=hmacsha1"},
    {"registration-field-order", [](Patient& p) { registers(p, "productKey" + kPk + "deviceName" + kDn + "random42"); },
     "in this order"},
    {"registration-random-not-signed", [](Patient& p) { registers(p, "deviceName" + kDn + "productKey" + kPk); }},
    {"registration-values-only", [](Patient& p) { registers(p, kDn + kPk + "42"); }, "each word"},
    {"registration-signed-as-sign-in",
     [](Patient& p) { registers(p, "clientId" + kDn + "." + kPk + "deviceName" + kDn + "productKey" + kPk); }},
    {"secret-as-password",
     [](Patient& p) {
       registers(p, kRegistration);
       p.attempt.password = kProductSecret;
     }},
    {"registration-off", [](Patient& p) { is_refused(p, "registration-off"); }, "--dynamic-registration on"},
    {"registration-needs-preregistration",
     [](Patient& p) {
       is_refused(p, "registration-off", "regnwl");
       p.facts.registration_on = true;
     },
     "on-without-preregistration"},
    {"registration-not-preregistered", [](Patient& p) { is_refused(p, "registration-not-preregistered"); },
     "device create"},
    {"registration-name-slip",
     [](Patient& p) {
       is_refused(p, "registration-not-preregistered");
       p.facts.device_meant = "meter-7";
     },
     "meter-7"},
    {"product-unknown",
     [](Patient& p) {
       is_refused(p, "registration-unknown-product");
       p.facts.product_exists = p.facts.device_exists = false;
     },
     "product create"},
    {"registration-activated", [](Patient& p) { is_refused(p, "registration-activated"); }, "device reset"},
    {"registration-disabled-device", [](Patient& p) { is_refused(p, "registration-disabled-device"); },
     "device enable"},
    {"registration-needs-tls", [](Patient& p) { is_refused(p, "registration-needs-tls"); }, "TLS"},
    {"registration-without-random", [](Patient& p) { is_refused(p, "registration-without-random"); }, "random="},
    {"registration-name", [](Patient& p) { is_refused(p, "registration-name"); }},
    {"registration-product-full", [](Patient& p) { is_refused(p, "registration-product-full"); }},
    {"registration-tokens-full", [](Patient& p) { is_refused(p, "registration-tokens-full"); }},
    {"wrong-token", [](Patient& p) { is_refused(p, "wrong-token", "connwl"); }, "device reset"},
    {"wrong-iot-token", [](Patient& p) { p.refusal = "wrong-iot-token"; }, "/auth/devicename"},
    {"certificate-untrusted", [](Patient& p) { p.refusal = "certificate-untrusted"; }, "authority add"},
    {"certificate-expired", [](Patient& p) { p.refusal = "certificate-expired"; }, "bind-certificate"},
    {"certificate-revoked", [](Patient& p) { p.refusal = "certificate-revoked"; }, "reinstate"},
    {"certificate-unbound", [](Patient& p) { p.refusal = "certificate-unbound"; }, "bind-certificate"},
    {"ticket-form", [](Patient& p) { p.refusal = "ticket-form"; }, "exactly"},
    {"ticket-unknown", [](Patient& p) { p.refusal = "ticket-unknown"; }, "ticket mint"},
    {"ticket-secret", [](Patient& p) { p.refusal = "ticket-secret"; }, "exactly"},
    {"ticket-expired", [](Patient& p) { p.refusal = "ticket-expired"; }, "--lifetime"},
    {"ticket-revoked", [](Patient& p) { p.refusal = "ticket-revoked"; }},
    {"ticket-not-from-page", [](Patient& p) { p.refusal = "ticket-not-from-page"; }, "--origin"},
    {"ticket-origin", [](Patient& p) { p.refusal = "ticket-origin"; }, "--origin"},
    {"ticket-client-id", [](Patient& p) { p.refusal = "ticket-client-id"; }},
    {"ticket-holder", [](Patient& p) { p.refusal = "ticket-holder"; }},
    {"other-signmethod", [](Patient& p) { p.sign(p.right(), kSecret, HmacMethod::kSha1); }, "signmethod=hmacsha1"},
    {"other-signmethod", [](Patient& p) { p.sign(p.right(), kSecret, HmacMethod::kMd5); }, "signmethod=hmacmd5"},
    {"signmethod-missing",
     [](Patient& p) {
       p.attempt.client_id = kPk + "." + kDn + "|securemode=3,timestamp=" + kTime + "|";
       p.sign(p.right());
     },
     "Add signmethod=hmacsha256"},
    {"timestamp-not-signed", [](Patient& p) { p.sign(p.right(false)); }},
    {"timestamp-without-value", [](Patient& p) { p.sign(p.right(false) + "timestamp"); }},
    {"other-timestamp", [](Patient& p) { p.sign(p.right(false) + "timestamp2524608000000"); }},
    {"other-timestamp", [](Patient& p) { p.sign(p.right(false) + "timestamp1700000000"); }, "the very text"},
    {"timestamp-not-sent",
     [](Patient& p) {
       p.send("hmacsha256", "", false);
       p.sign(p.right(false) + "timestamp2524608000000");
     }},
    {"field-order",
     [](Patient& p) {
       p.sign("deviceName" + kDn + "productKey" + kPk + "clientId" + kPk + "." + kDn + "timestamp" + kTime);
     }},
    {"field-order",
     [](Patient& p) {
       p.sign("timestamp" + kTime + "productKey" + kPk + "deviceName" + kDn + "clientId" + kPk + "." + kDn);
     }},
    {"values-only", [](Patient& p) { p.sign(kPk + "." + kDn + kDn + kPk + kTime); }},
    {"field-name-case",
     [](Patient& p) {
       p.sign("clientid" + kPk + "." + kDn + "devicename" + kDn + "productkey" + kPk + "timestamp" + kTime);
     }},
    {"field-separators",
     [](Patient& p) {
       p.sign("clientId=" + kPk + "." + kDn + "&deviceName=" + kDn + "&productKey=" + kPk + "&timestamp=" + kTime);
     }},
    {"other-parameters-signed", [](Patient& p) { p.sign(p.right(false) + "signmethodhmacsha256timestamp" + kTime); }},
    {"client-id-with-parameters",
     [](Patient& p) {
       p.sign("clientId" + p.attempt.client_id + "deviceName" + kDn + "productKey" + kPk + "timestamp" + kTime);
     }},
    {"other-client-id",
     [](Patient& p) { p.sign("clientId" + kDn + "deviceName" + kDn + "productKey" + kPk + "timestamp" + kTime); },
     "the bare device name"},
    {"other-client-id",
     [](Patient& p) {
       p.sign("clientId" + kPk + "&" + kDn + "deviceName" + kDn + "productKey" + kPk + "timestamp" + kTime);
     }},
    {"other-client-id",
     [](Patient& p) {
       p.attempt.client_id = kDn + "|securemode=3,signmethod=hmacsha256,timestamp=" + kTime + "|";
       p.sign(p.right());
     },
     "productKey.deviceName"},
    {"client-id-empty",
     [](Patient& p) { p.sign("clientIddeviceName" + kDn + "productKey" + kPk + "timestamp" + kTime); }},
    {"client-id-case",
     [](Patient& p) {
       p.sign("clientId" + base::to_lower(kPk + "." + kDn) + "deviceName" + kDn + "productKey" + kPk + "timestamp" +
              kTime);
     }},
    {"signed-names-swapped",
     [](Patient& p) {
       p.sign("clientId" + kPk + "." + kDn + "deviceName" + kPk + "productKey" + kDn + "timestamp" + kTime);
     }},
    {"signed-names-case",
     [](Patient& p) {
       p.sign("clientId" + kPk + "." + kDn + "deviceNamemeter-7productKey" + kPk + "timestamp" + kTime);
     }},
    {"secret-with-newline", [](Patient& p) { p.sign(p.right(), kSecret + "\n"); }},
    {"secret-with-newline", [](Patient& p) { p.sign(p.right(), kSecret + "\r\n"); }},
    {"secret-with-blank", [](Patient& p) { p.sign(p.right(), " " + kSecret); }},
    {"secret-in-quotes", [](Patient& p) { p.sign(p.right(), "\"" + kSecret + "\""); }},
    {"secret-in-upper-case", [](Patient& p) { p.sign(p.right(), "0A1B2C3D4E5F60718293A4B5C6D7E8F9"); }},
    {"secret-in-lower-case", [](Patient& p) { p.sign(p.right(), "0a1b2c3d4e5f60718293a4b5c6d7e8f9"); }},
    {"secret-decoded-from-hex",
     [](Patient& p) { p.sign(p.right(), std::string(base::as_text(*base::from_hex(kSecret)))); }},
    {"secret-with-ampersand", [](Patient& p) { p.sign(p.right(), kSecret + "&"); }},
    {"secret-cut", [](Patient& p) { p.sign(p.right(), kSecret.substr(0, 31)); }, "32 characters"},
    {"product-secret", [](Patient& p) { p.sign(p.right(), kProductSecret); }},
    {"secret-of-other-device", [](Patient& p) { p.sign(p.right(), "88888888888888888888888888888888"); }, "Meter-8"},
    {"signed-as-other-device",
     [](Patient& p) {
       p.sign("clientId" + kPk + "." + kDn + "deviceNameMeter-1productKey" + kPk + "timestamp" + kTime,
              "11111111111111111111111111111111");
     }},
    {"key-and-text-swapped", [](Patient& p) { p.sign(kSecret, p.right()); }},
    {"secret-as-password", [](Patient& p) { p.attempt.password = kSecret; }},
    {"password-base64",
     [](Patient& p) {
       p.send("hmacmd5");
       // 16 bytes: 22 digits and padding
       const auto mac = crypto::hmac(HmacMethod::kMd5, kSecret, {p.right()});
       static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
       std::uint32_t bits = 0;
       int count = 0;
       for (const std::uint8_t byte : mac.view()) {
         bits = bits << 8 | byte;
         for (count += 8; count >= 6; count -= 6) p.attempt.password += digits[bits >> (count - 6) & 63];
       }
       p.attempt.password += digits[bits << (6 - count) & 63];
       p.attempt.password += "==";
     }},
    {"password-cut",
     [](Patient& p) {
       p.sign(p.right());
       p.attempt.password.resize(63);
     },
     "hmacsha256 64"},
    {"password-hex-twice",
     [](Patient& p) {
       p.sign(p.right());
       p.attempt.password = base::to_hex(base::as_bytes(p.attempt.password));
     }},
    {"password-with-blank",
     [](Patient& p) {
       p.sign(p.right());
       p.attempt.password += "\n";
     }},
    {"password-with-0x",
     [](Patient& p) {
       p.sign(p.right());
       p.attempt.password = "0x" + p.attempt.password;
     }},
    {"password-binary",
     [](Patient& p) {
       const auto mac = crypto::hmac(HmacMethod::kSha256, kSecret, {p.right()});
       p.attempt.password = base::as_text(mac.view());
     }},
    {"password-no-code", [](Patient& p) { p.attempt.password = "letmein"; }},
    {"password-empty", [](Patient& p) { p.attempt.password.clear(); }},
    {"signature-unexplained", [](Patient& p) { p.sign(p.right(), "an entirely different secret...."); }},
    // two at once
    {"other-signmethod+timestamp-not-signed", [](Patient& p) { p.sign(p.right(false), kSecret, HmacMethod::kSha1); }},
    {"secret-with-newline+timestamp-not-signed", [](Patient& p) { p.sign(p.right(false), kSecret + "\n"); }},
    {"product-secret+field-order",
     [](Patient& p) {
       p.sign("productKey" + kPk + "deviceName" + kDn + "clientId" + kPk + "." + kDn + "timestamp" + kTime,
              kProductSecret);
     }},
    {"timestamp-not-signed+securemode-mismatch",
     [](Patient& p) {
       p.attempt.tls = true;
       p.sign(p.right(false));
     },
     "securemode=2"},
    // names
    {"device-name-case",
     [](Patient& p) {
       p.refusal = "unknown-device";
       p.attempt.user_name = "meter-7&" + kPk;
       p.facts = {};
       p.facts.product_exists = true;
       p.facts.device_meant = kDn;
       p.facts.neighbours = {{"Meter-1", "11111111111111111111111111111111"}};
     },
     "Meter-7"},
    {"device-name-slip",
     [](Patient& p) {
       p.refusal = "unknown-device";
       p.attempt.user_name = "Metre-7&" + kPk;
       p.facts.device_meant = kDn;
     }},
    {"device-unknown", [](Patient& p) { p.refusal = "unknown-device"; }, "mooring device create"},
    {"user-name-swapped",
     [](Patient& p) {
       p.refusal = "unknown-device";
       p.facts.swapped_exists = true;
     }},
    {"user-name-with-blank",
     [](Patient& p) {
       p.refusal = "unknown-device";
       p.attempt.user_name = kDn + "&" + kPk + "\n";
     }},
    {"product-unknown",
     [](Patient& p) {
       p.refusal = "unknown-device";
       p.facts.product_exists = false;
     }},
    {"product-key-case",
     [](Patient& p) {
       p.refusal = "unknown-device";
       p.facts.product_exists = false;
       p.facts.product_meant = base::to_lower(kPk);
     }},
    {"wrong-product",
     [](Patient& p) {
       p.refusal = "unknown-device";
       p.facts.device_elsewhere = "a1Other";
     },
     "a1Other"},
    {"user-name-separator",
     [](Patient& p) {
       p.refusal = "unknown-user";
       p.attempt.user_name = kDn + "|" + kPk;
     }},
    {"user-name-form",
     [](Patient& p) {
       p.refusal = "unknown-user";
       p.attempt.user_name = kDn;
     }},
    {"user-name-missing",
     [](Patient& p) {
       p.refusal = "credentials-missing";
       p.attempt.has_user_name = false;
     }},
    {"password-missing",
     [](Patient& p) {
       p.refusal = "credentials-missing";
       p.attempt.has_password = false;
     }},
    // parameters
    {"signmethod-unknown",
     [](Patient& p) {
       p.refusal = "signmethod-unknown";
       p.send("HMAC-SHA256");
     },
     "signmethod=hmacsha256"},
    {"securemode-unknown",
     [](Patient& p) {
       p.refusal = "securemode-unknown";
       p.attempt.client_id = "x|securemode=9|";
     },
     "securemode=3"},
    {"authtype-unknown",
     [](Patient& p) {
       p.refusal = "authtype-unknown";
       p.attempt.client_id = "x|authType=secret|";
     }},
    {"client-id-parameter",
     [](Patient& p) {
       p.refusal = "client-id-parameter";
       p.attempt.client_id = "x|securemode|";
     }},
    {"client-id-empty",
     [](Patient& p) {
       p.refusal = "base-client-id";
       p.attempt.client_id = "|securemode=3|";
     }},
    {"client-id-length",
     [](Patient& p) {
       p.refusal = "base-client-id";
       p.attempt.client_id = std::string(65, 'x') + "|securemode=3|";
     }},
    {"keep-alive-zero",
     [](Patient& p) {
       p.refusal = "keep-alive-too-short";
       p.attempt.keep_alive_s = 0;
     }},
    {"keep-alive-too-short",
     [](Patient& p) {
       p.refusal = "keep-alive-too-short";
       p.attempt.keep_alive_s = 10;
     },
     "30 to 1200"},
    {"keep-alive-in-milliseconds",
     [](Patient& p) {
       p.refusal = "keep-alive-too-long";
       p.attempt.keep_alive_s = 60'000;
     }},
    {"keep-alive-too-long",
     [](Patient& p) {
       p.refusal = "keep-alive-too-long";
       p.attempt.keep_alive_s = 1201;
     },
     "clamp"},
    {"device-disabled", [](Patient& p) { p.refusal = "device-disabled"; }, "mooring device enable"},
    {"foreign-instance",
     [](Patient& p) {
       p.refusal = "foreign-instance";
       p.attempt.client_id = "x|instanceId=iot-there|";
     },
     "iot-here"},
    {"tls-required", [](Patient& p) { p.refusal = "tls-required"; }},
    {"no-secret", [](Patient& p) { p.refusal = "no-secret"; }},
    {"securemode-mismatch",
     [](Patient& p) {
       p.refusal = "securemode-mismatch";
       p.attempt.tls = true;
     },
     "securemode=2"},
};

INSTANTIATE_TEST_SUITE_P(Rows, DiagnoseTest, ::testing::ValuesIn(kRows), [](const auto& row) {
  std::string name = std::to_string(row.index) + "_" + row.param.name;
  for (char& c : name) {
    if (c == '-' || c == '+') c = '_';
  }
  return name;
});

// A reason that is added to the sign-in gets its words here.
TEST(Diagnose, HasWordsForEveryRefusal) {
  const std::set<std::string_view> says_all_itself{"protocol-version",  "rate-limited", "wrong-password",
                                                   "client-id-missing", "unavailable",  "anonymous-account-missing"};
  for (unsigned i = 0; i <= static_cast<unsigned>(auth::RefusalReason::kUnavailable); ++i) {
    const auth::Refusal refusal = auth::Refusal::of(static_cast<auth::RefusalReason>(i));
    Patient patient;
    patient.refusal = refusal.name;
    if (refusal.name == "securemode-mismatch") patient.attempt.tls = true;
    EXPECT_EQ(patient.diagnosis().empty(), says_all_itself.contains(refusal.name)) << refusal.name;
  }
}

TEST(DiagnoseCost, IsBounded) {
  Patient patient;
  patient.sign(patient.right(), "an entirely different secret....");
  for (int i = 0; i < 5000; ++i) patient.facts.neighbours.push_back({"N" + std::to_string(i), std::to_string(i)});
  Budget budget(kHmacsPerCase);
  const auto device = patient.auth_device();
  EXPECT_EQ(diagnose({patient.refusal, patient.attempt, device, patient.facts, patient.policy}, budget).name,
            "signature-unexplained");
  Budget little(10);
  EXPECT_EQ(diagnose({patient.refusal, patient.attempt, device, patient.facts, patient.policy}, little).name,
            "signature-unexplained");
  EXPECT_EQ(little.left(), 0U);
}

TEST(DiagnoseHostile, AnythingIsTaken) {
  for (const std::string& text : {std::string(), std::string("\0\xff&|=,", 7), std::string(1025, '|'), std::string("&"),
                                  std::string("|||=|,,,=="), std::string(900, '=')}) {
    for (const char* refusal : {"wrong-signature", "unknown-device", "credentials-missing", "base-client-id",
                                "keep-alive-too-long", "securemode-unknown", "unknown-user", "nonsense"}) {
      Patient patient;
      patient.refusal = refusal;
      patient.attempt.client_id = patient.attempt.user_name = patient.attempt.password = text;
      const journal::Diagnosis found = patient.diagnosis();
      EXPECT_EQ(found.text.find('\0'), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace mooring::doctor
