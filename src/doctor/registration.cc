// Dynamic registration (connection.md section 10): what was signed, and what the product admits.
#include <fmt/format.h>

#include <array>

#include "auth/client_id.h"
#include "base/text.h"
#include "crypto/hmac.h"
#include "doctor/claims.h"
#include "doctor/keys.h"
#include "doctor/password.h"
#include "doctor/signature.h"

namespace mooring::doctor {
namespace {

std::string shown(std::string_view text) {
  return base::printable(text, 64);
}

// What may have been signed instead of deviceName, productKey and random. The right text first, without a mistake.
struct Content {
  std::string text;
  Mistake mistake;
};

std::vector<Content> contents(const Case& patient, const std::string& random) {
  const std::string dn = "deviceName" + patient.device.device_name;
  const std::string pk = "productKey" + patient.device.product_key;
  const std::string r = "random" + random;
  const std::string right = "Sign deviceName, productKey and random in this order, each word followed by its value.";
  std::vector<Content> out{{dn + pk + r, {}}};
  for (const std::string& order : {dn + r + pk, pk + dn + r, pk + r + dn, r + dn + pk, r + pk + dn}) {
    out.push_back(
        {order, {"registration-field-order", "The fields of the registration were signed in another order.", right}});
  }
  out.push_back({dn + pk, {"registration-random-not-signed", "The value of random was sent, but not signed.", right}});
  out.push_back({patient.device.device_name + patient.device.product_key + random,
                 {"registration-values-only", "Only the values were signed, without their names.", right}});
  const std::string base(parts_of(patient.attempt).base);
  const Mistake as_sign_in{"registration-signed-as-sign-in",
                           "The text of an ordinary sign-in was signed, with clientId in it.", right};
  out.push_back({"clientId" + base + dn + pk, as_sign_in});
  out.push_back({"clientId" + base + dn + pk + r, as_sign_in});
  return out;
}

// Keys are the product's secret in all its forms, and the device's own.
std::vector<KeyVariant> registration_keys(const RegistryFacts& facts) {
  RegistryFacts product;
  product.device_secret = facts.product_secret;
  std::vector<KeyVariant> keys = key_variants(product);
  if (!facts.device_secret.empty()) {
    keys.push_back({facts.device_secret,
                    {"device-secret", "The registration was signed with the device's secret.",
                     "A registration is signed with the product secret (mooring product show)."}});
  }
  return keys;
}

void note_method(std::vector<Mistake>& found, const PasswordReading& reading, std::string_view announced) {
  const auto wanted = crypto::parse_hmac_method(announced.empty() ? "hmacmd5" : announced);
  if (wanted && *wanted == reading.method) return;
  found.push_back(
      {"other-signmethod",
       fmt::format("The signature was made with {}, but the client identifier announces {}.",
                   crypto::name(reading.method), announced.empty() ? "nothing, which means hmacmd5" : shown(announced)),
       fmt::format("Write signmethod={} into the client identifier.", crypto::name(reading.method))});
}

std::vector<Mistake> explain_signed(const Case& patient, Budget& budget) {
  const auto readings = read_password(patient.attempt.password);
  const auto id = auth::parse_client_id(patient.attempt.client_id);
  const std::string random(id ? id->random.value_or("") : "");
  for (const KeyVariant& key : registration_keys(patient.facts)) {
    for (const Content& content : contents(patient, random)) {
      for (const PasswordReading& reading : readings) {
        if (!budget.take()) return {};
        if (!fits(reading, crypto::hmac(reading.method, key.key, {content.text}))) continue;
        std::vector<Mistake> found;
        note_method(found, reading, id ? id->sign_method.value_or("") : "");
        for (const Mistake* mistake : {&reading.mistake, &key.mistake, &content.mistake}) {
          if (!mistake->name.empty()) found.push_back(*mistake);
        }
        if (!found.empty()) return found;
      }
    }
  }
  if (patient.attempt.password == patient.facts.product_secret && !patient.attempt.password.empty()) {
    return {{"secret-as-password", "The device sent the product secret as the password.",
             "Send the HMAC of the signed text under the product secret, in hexadecimal. Change this secret."}};
  }
  return {{"product-secret-wrong", "The registration was signed with another secret than the product's.",
           "Compare the product secret in the firmware with mooring product show."}};
}

std::vector<Mistake> explain_off(const Case& patient) {
  const std::string pk = shown(patient.device.product_key);
  const auto id = auth::parse_client_id(patient.attempt.client_id);
  if (patient.facts.registration_on && id && id->auth_type == "regnwl") {
    return {
        {"registration-needs-preregistration",
         fmt::format("Product {} registers only devices that were made beforehand, and the device asks to be made "
                     "(authType=regnwl).",
                     pk),
         fmt::format(
             "Send authType=register and create the device first, or admit it: mooring product update --product-key {} "
             "--dynamic-registration on-without-preregistration",
             pk)}};
  }
  return {{"registration-off", fmt::format("Dynamic registration of product {} is switched off.", pk),
           fmt::format("Switch it on: mooring product update --product-key {} --dynamic-registration on", pk)}};
}

std::vector<Mistake> explain_not_made(const Case& patient) {
  const std::string pk = shown(patient.device.product_key);
  const std::string dn = shown(patient.device.device_name);
  if (!patient.facts.device_meant.empty()) {
    return {{"registration-name-slip",
             fmt::format("No device {} was made beforehand in product {}, but one named {}.", dn, pk,
                         patient.facts.device_meant),
             fmt::format("Use the device name {} exactly as it is written here.", patient.facts.device_meant)}};
  }
  return {
      {"registration-not-preregistered", fmt::format("No device {} was made beforehand in product {}.", dn, pk),
       fmt::format(
           "Make it: mooring device create --product-key {} --device-name {}. Or admit every name: mooring "
           "product update --product-key {} --dynamic-registration on-without-preregistration, and authType=regnwl in "
           "the firmware.",
           pk, dn, pk)}};
}

}  // namespace

std::vector<Mistake> explain_registration(const Case& patient, Budget& budget) {
  if (patient.refusal == "registration-signature") return explain_signed(patient, budget);
  if (patient.refusal == "registration-unknown-product") return explain_unknown(patient);
  if (patient.refusal == "registration-off") return explain_off(patient);
  if (patient.refusal == "registration-not-preregistered") return explain_not_made(patient);
  return {};
}

}  // namespace mooring::doctor
