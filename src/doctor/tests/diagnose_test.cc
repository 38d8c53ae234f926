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

Budget plenty() {
  return {kHmacsPerCase, base::system_clock(), base::system_clock().mono_ms() + 60'000};
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
    Budget budget = plenty();
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
    {"no-secret", [](Patient& p) { p.refusal = "no-secret"; }},
    {"securemode-mismatch",
     [](Patient& p) {
       p.refusal = "securemode-mismatch";
       p.attempt.tls = true;
     },
     "securemode=2"},
};

// TLS-PSK: what the identity says, and what the handshake came to.
void shakes_hands(Patient& p, const char* refusal, const std::string& identity) {
  p.refusal = refusal;
  p.attempt.psk_identity = identity;
  p.attempt.tls = true;
  p.attempt.client_id = p.attempt.password = "";
  p.attempt.has_user_name = p.attempt.has_password = false;
}
const std::string kIdentity = "devicename|hmacsha256|" + kPk + "&" + kDn + "|2524608000000";

const Row kPskRows[] = {
    {"psk-wrong-key", [](Patient& p) { shakes_hands(p, "psk-wrong-key", kIdentity); },
     "hmacsha256 of 'ida1DoctorPk1&Meter-7timestamp2524608000000' under the secret: its 64"},
    {"psk-wrong-key",
     [](Patient& p) { shakes_hands(p, "psk-wrong-key", "devicename|hmacsha1|" + kPk + "&" + kDn + "|1"); },
     "its 40 upper-case"},
    {"psk-no-secret", [](Patient& p) { shakes_hands(p, "psk-no-secret", kIdentity); }, "device update"},
    {"psk-identity-fields", [](Patient& p) { shakes_hands(p, "psk-identity-form", kPk + "&" + kDn); }, "devicename|"},
    {"psk-identity-kind",
     [](Patient& p) { shakes_hands(p, "psk-identity-form", "id2|hmacsha256|" + kPk + "&" + kDn + "|1"); }},
    {"psk-identity-method",
     [](Patient& p) { shakes_hands(p, "psk-identity-form", "devicename|hmacsha512|" + kPk + "&" + kDn + "|1"); },
     "hmacsha256"},
    {"psk-identity-names",
     [](Patient& p) { shakes_hands(p, "psk-identity-form", "devicename|hmacsha256|" + kDn + "|1"); }, "in this order"},
    {"psk-identity-method+psk-identity-names",
     [](Patient& p) { shakes_hands(p, "psk-identity-form", "devicename|sha|x|1"); }},
    {"psk-names-swapped",
     [](Patient& p) {
       shakes_hands(p, "psk-unknown-device", "devicename|hmacsha256|" + kDn + "&" + kPk + "|1");
       p.facts.product_exists = p.facts.device_exists = false;
       p.facts.swapped_exists = true;
     },
     "productKey&deviceName"},
    {"device-name-case",
     [](Patient& p) {
       shakes_hands(p, "psk-unknown-device", kIdentity);
       p.facts.device_exists = false;
       p.facts.device_meant = "METER-7";
     },
     "METER-7"},
};

// The HTTP interface: what was sent, and what was signed.
using Sent = std::vector<std::pair<std::string, std::string>>;
void asks(Patient& p, const std::string& text, const std::string& key = kSecret, Sent more = {},
          HmacMethod method = HmacMethod::kSha1, const char* announced = "hmacsha1") {
  p.attempt.http = std::make_unique<journal::HttpAttempt>();
  p.attempt.http->path = "/auth";
  p.attempt.http->fields = {{"clientId", "c1"}, {"deviceName", kDn}, {"productKey", kPk}, {"version", "default"}};
  if (*announced != '\0') p.attempt.http->fields.emplace_back("signmethod", announced);
  for (auto& field : more) p.attempt.http->fields.push_back(std::move(field));
  p.attempt.client_id.clear();
  p.attempt.tls = true;
  p.sign(text, key, method);
}
const std::string kLogin = "clientIdc1deviceName" + kDn + "productKey" + kPk;
const Sent kAtTime{{"timestamp", kTime}};

void lacks(Patient& p, const char* refusal, const Sent& fields) {
  asks(p, kLogin);
  p.refusal = refusal;
  p.attempt.http->fields = fields;
}

const Row kHttpRows[] = {
    {"signature-unexplained", [](Patient& p) { asks(p, kLogin, "nobody has this secret"); }, "device show"},
    {"other-signmethod", [](Patient& p) { asks(p, kLogin, kSecret, {}, HmacMethod::kSha256); },
     "signmethod=hmacsha256"},
    {"signmethod-missing", [](Patient& p) { asks(p, kLogin, kSecret, {}, HmacMethod::kSha1, ""); },
     "signmethod=hmacsha1"},
    {"timestamp-not-signed", [](Patient& p) { asks(p, kLogin, kSecret, kAtTime); }},
    {"timestamp-not-sent", [](Patient& p) { asks(p, kLogin + "timestamp2524608000000"); }, "if it is sent"},
    {"other-timestamp", [](Patient& p) { asks(p, kLogin + "timestamp1700000000", kSecret, kAtTime); }, "very text"},
    {"other-parameters-signed", [](Patient& p) { asks(p, kLogin + "versiondefault"); }, "version"},
    {"other-parameters-signed", [](Patient& p) { asks(p, kLogin + "signmethodhmacsha1"); }},
    {"other-parameters-signed", [](Patient& p) { asks(p, kLogin + "signmethodhmacsha1versiondefault"); }},
    {"fields-not-signed",
     [](Patient& p) {
       asks(p, kLogin, kSecret, {{"firmware", "7"}});
     },
     "each name"},
    {"field-order", [](Patient& p) { asks(p, "productKey" + kPk + "deviceName" + kDn + "clientIdc1"); },
     "in this order"},
    {"values-only", [](Patient& p) { asks(p, "c1" + kDn + kPk); }},
    {"field-separators", [](Patient& p) { asks(p, "clientId=c1&deviceName=" + kDn + "&productKey=" + kPk); }},
    {"other-client-id",
     [](Patient& p) { asks(p, "clientId" + kPk + "." + kDn + "deviceName" + kDn + "productKey" + kPk); },
     "as it is sent"},
    {"signed-names-swapped", [](Patient& p) { asks(p, "clientIdc1deviceName" + kPk + "productKey" + kDn); }},
    {"secret-with-newline", [](Patient& p) { asks(p, kLogin, kSecret + "\n"); }, "Remove it"},
    {"product-secret", [](Patient& p) { asks(p, kLogin, kProductSecret); }, "device secret"},
    {"secret-of-other-device", [](Patient& p) { asks(p, kLogin, "88888888888888888888888888888888"); }, "Meter-8"},
    {"secret-as-password",
     [](Patient& p) {
       asks(p, kLogin);
       p.attempt.password = kSecret;
     }},
    {"password-no-code",
     [](Patient& p) {
       asks(p, kLogin);
       p.attempt.password = "letmein";
     },
     "hexadecimal"},
    {"password-cut",
     [](Patient& p) {
       asks(p, kLogin);
       p.attempt.password.resize(39);
     },
     "its buffer"},
    {"product-secret+timestamp-not-signed", [](Patient& p) { asks(p, kLogin, kProductSecret, kAtTime); }},
    {"fields-missing",
     [](Patient& p) {
       lacks(p, "http-parameter", {{"deviceName", kDn}, {"clientId", ""}});
     },
     "spelled"},
    {"signmethod-unknown",
     [](Patient& p) {
       lacks(p, "http-parameter",
             {{"deviceName", kDn}, {"productKey", kPk}, {"clientId", "c"}, {"signmethod", "hmac-sha1"}});
     },
     "hmacsha1"},
    {"field-malformed",
     [](Patient& p) {
       lacks(p, "http-parameter", {{"deviceName", kDn}, {"productKey", kPk}, {"clientId", "c"}, {"timestamp", "now"}});
     },
     "milliseconds"},
    {"timestamp-in-seconds",
     [](Patient& p) {
       lacks(p, "http-timestamp", {{"timestamp", "1700000000"}});
     },
     "1000"},
    {"timestamp-of-sdk",
     [](Patient& p) {
       lacks(p, "http-timestamp", {{"timestamp", "2524608000000"}});
     }},
    {"clock-is-off",
     [](Patient& p) {
       lacks(p, "http-timestamp", {{"timestamp", kTime}});
     },
     "clock"},
    {"names-swapped",
     [](Patient& p) {
       asks(p, kLogin);
       p.refusal = "unknown-device";
       p.facts.product_exists = p.facts.device_exists = false;
       p.facts.swapped_exists = true;
     },
     "productKey"},
    {"device-name-case",
     [](Patient& p) {
       asks(p, kLogin);
       p.refusal = "unknown-device";
       p.facts.device_exists = false;
       p.facts.device_meant = "METER-7";
     },
     "METER-7"},
    {"device-disabled", [](Patient& p) { lacks(p, "device-disabled", {}); }, "device enable"},
    {"no-secret", [](Patient& p) { lacks(p, "no-secret", {}); }},
    {"certificate-required", [](Patient& p) { lacks(p, "certificate-required", {}); }},
    {"http-token-expired", [](Patient& p) { p.refusal = "http-token-expired"; }, "/auth"},
    {"http-token-unknown", [](Patient& p) { p.refusal = "http-token-unknown"; }, "/auth"},
    {"http-token-missing", [](Patient& p) { p.refusal = "http-token-missing"; }, "/auth"},
    {"http-needs-tls", [](Patient& p) { p.refusal = "http-needs-tls"; }, "https"},
};

std::string name_of_row(const ::testing::TestParamInfo<Row>& row) {
  std::string name = std::to_string(row.index) + "_" + row.param.name;
  for (char& c : name) {
    if (c == '-' || c == '+') c = '_';
  }
  return name;
}
INSTANTIATE_TEST_SUITE_P(Rows, DiagnoseTest, ::testing::ValuesIn(kRows), name_of_row);
INSTANTIATE_TEST_SUITE_P(Psk, DiagnoseTest, ::testing::ValuesIn(kPskRows), name_of_row);
INSTANTIATE_TEST_SUITE_P(Http, DiagnoseTest, ::testing::ValuesIn(kHttpRows), name_of_row);

// What is said of a request has no words that belong to MQTT.
TEST(DiagnoseHttp, SpeaksOfRequests) {
  for (const Row& row : kHttpRows) {
    Patient patient;
    row.mistake(patient);
    const journal::Diagnosis found = patient.diagnosis();
    if (patient.attempt.http == nullptr || found.name == "timestamp-of-sdk") continue;
    for (const char* word : {"CONNECT", "the password", "The password", "client identifier", "user name"}) {
      EXPECT_EQ((found.text + found.advice).find(word), std::string::npos) << found.text << ' ' << found.advice;
    }
  }
}

TEST(DiagnoseHttp, KnowsWhatEachServiceNeeds) {
  Patient patient;
  asks(patient, kLogin);
  patient.refusal = "http-parameter";
  patient.attempt.password.clear();
  patient.attempt.http->fields.clear();
  const auto said = [&](const char* path) {
    patient.attempt.http->path = path;
    return patient.diagnosis().text;
  };
  EXPECT_NE(said("/auth").find(": productKey, deviceName, clientId, sign."), std::string::npos);
  EXPECT_NE(said("/auth/devicename").find(": productKey, deviceName, clientId, sign."), std::string::npos);
  EXPECT_NE(said("/auth/register/device").find(": productKey, deviceName, random, sign."), std::string::npos);
  EXPECT_NE(said("/auth/bootstrap").find(": productKey, deviceName."), std::string::npos);
  patient.attempt.http->fields = {{"deviceName", kDn}, {"productKey", kPk}};
  EXPECT_NE(said("/auth/bootstrap").find("Host"), std::string::npos);
}

TEST(DiagnoseHttp, KnowsWhatPreauthenticationLeavesOut) {
  Patient patient;
  asks(patient, kLogin, "nobody has this secret", {{"resources", "mqtt"}});
  patient.attempt.http->path = "/auth/devicename";
  patient.sign(kLogin + "resourcesmqtt", kSecret, HmacMethod::kSha1);
  EXPECT_EQ(patient.diagnosis().name, "other-parameters-signed");
  patient.attempt.http->path = "/auth";
  patient.sign(kLogin, kSecret, HmacMethod::kSha1);
  EXPECT_EQ(patient.diagnosis().name, "fields-not-signed");
}

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
  Budget budget = plenty();
  const auto device = patient.auth_device();
  EXPECT_EQ(diagnose({patient.refusal, patient.attempt, device, patient.facts, patient.policy}, budget).name,
            "signature-unexplained");
  Budget little(10, base::system_clock(), base::system_clock().mono_ms() + 60'000);
  EXPECT_EQ(diagnose({patient.refusal, patient.attempt, device, patient.facts, patient.policy}, little).name,
            "signature-unexplained");
  EXPECT_EQ(little.left(), 0U);
}

// Time passes with every look at it.
class PassingClock final : public base::Clock {
 public:
  base::MonoMs mono_ms() const override { return now_ms_++; }
  base::WallMs wall_ms() const override { return 0; }

 private:
  mutable base::MonoMs now_ms_ = 0;
};

TEST(DiagnoseCost, EndsWithItsTimeHoweverFewHmacsItCame) {
  Patient patient;
  patient.sign(patient.right(), "an entirely different secret....");
  const PassingClock clock;
  Budget budget(kHmacsPerCase, clock, 5);
  const auto device = patient.auth_device();
  const auto found = diagnose({patient.refusal, patient.attempt, device, patient.facts, patient.policy}, budget);
  EXPECT_EQ(found.name, "signature-unexplained");
  EXPECT_NE(found.text.find("that there was time for"), std::string::npos) << found.text;
  EXPECT_EQ(clock.mono_ms(), 6) << "it looked once more than it had time for";
}

TEST(DiagnoseHostile, AnythingIsTaken) {
  for (const std::string& text : {std::string(), std::string("\0\xff&|=,", 7), std::string(1025, '|'), std::string("&"),
                                  std::string("|||=|,,,=="), std::string(900, '=')}) {
    for (const char* refusal :
         {"wrong-signature", "unknown-device", "credentials-missing", "base-client-id", "psk-wrong-key",
          "psk-identity-form", "keep-alive-too-long", "securemode-unknown", "unknown-user", "nonsense"}) {
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
