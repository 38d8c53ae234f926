// The user name: its form, and names that are not registered.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "doctor/claims.h"

namespace mooring::doctor {
namespace {

constexpr const char* kForm = "Send deviceName&productKey as the user name.";

std::string shown(std::string_view text) {
  return base::printable(text, 64);
}

}  // namespace

std::vector<Mistake> explain_user_name(const Case& patient) {
  const journal::SignInAttempt& attempt = patient.attempt;
  const std::string& name = attempt.user_name;
  if (!attempt.has_user_name || name.empty()) {
    return {{"user-name-missing", "The CONNECT carries no user name.", kForm}};
  }
  if (!attempt.has_password) {
    return {{"password-missing", "The CONNECT carries no password.",
             "Send the HMAC of the signed text in hexadecimal as the password."}};
  }
  if (name == "&") {
    return {{"certificate-missing", "The user name is '&', which asks for a client certificate, but none is bound.",
             "Connect with the device's X.509 certificate over TLS, or sign in with deviceName&productKey."}};
  }
  const auto ampersands = std::count(name.begin(), name.end(), '&');
  if (ampersands > 1) {
    return {{"user-name-form", fmt::format("The user name '{}' holds more than one '&'.", shown(name)), kForm}};
  }
  if (ampersands == 1) {
    const char* const missing = name.front() == '&' ? "device name" : "product key";
    return {
        {"user-name-form", fmt::format("The user name '{}' has no {}, or is too long.", shown(name), missing), kForm}};
  }
  for (const std::string_view separator : {"|", "/", "@", ".", ":", "%26", ","}) {
    const std::size_t at = name.find(separator);
    if (at == std::string::npos || at == 0 || at + separator.size() == name.size()) continue;
    return {{"user-name-separator",
             fmt::format("The user name '{}' has '{}' where '&' belongs.", shown(name), separator), kForm}};
  }
  return {{"user-name-form",
           fmt::format("The user name '{}' holds no '&': the product key is missing, or it is an account that does not "
                       "exist.",
                       shown(name)),
           kForm}};
}

std::vector<Mistake> explain_unknown(const Case& patient) {
  const RegistryFacts& facts = patient.facts;
  const std::string pk = shown(patient.device.product_key);
  const std::string dn = shown(patient.device.device_name);
  if (facts.swapped_exists && patient.attempt.http != nullptr) {
    return {{"names-swapped", "Product key and device name have changed places.",
             "Write the product key into the field productKey, and the device name into deviceName."}};
  }
  if (facts.swapped_exists) {
    return {{"user-name-swapped", "Product key and device name have changed places in the user name.",
             "Send deviceName&productKey: the device name first."}};
  }
  const std::string_view trimmed_pk = base::trim(patient.device.product_key);
  const std::string_view trimmed_dn = base::trim(patient.device.device_name);
  if (trimmed_pk.size() != patient.device.product_key.size() ||
      trimmed_dn.size() != patient.device.device_name.size()) {
    return {{"user-name-with-blank", "The user name has a blank or a line end before or behind one of its names.",
             "Send deviceName&productKey without blanks and line ends."}};
  }
  if (!facts.product_exists) {
    if (!facts.product_meant.empty()) {
      const bool only_case = base::iequals(facts.product_meant, patient.device.product_key);
      return {{only_case ? "product-key-case" : "product-key-slip",
               fmt::format("There is no product {}, but one with the key {}{}.", pk, facts.product_meant,
                           only_case ? ": the case of letters differs" : ""),
               fmt::format("Use the product key {} exactly as it is written here.", facts.product_meant)}};
    }
    if (!facts.device_elsewhere.empty()) {
      return {
          {"wrong-product",
           fmt::format("There is no product {}; a device {} belongs to product {}.", pk, dn, facts.device_elsewhere),
           fmt::format("Use the product key {}, or create product and device.", facts.device_elsewhere)}};
    }
    return {{"product-unknown", fmt::format("There is no product {}.", pk),
             fmt::format("Check the product key in the firmware, or create it: mooring product create --product-key {}",
                         pk)}};
  }
  if (!facts.device_meant.empty()) {
    const bool only_case = base::iequals(facts.device_meant, patient.device.device_name);
    return {
        {only_case ? "device-name-case" : "device-name-slip",
         fmt::format("Product {} has no device {}, but one named {}{}.", pk, dn, facts.device_meant,
                     only_case ? ": the case of letters differs" : ""),
         fmt::format("Use the device name {} exactly as it is written here, in the user name and in the signed text.",
                     facts.device_meant)}};
  }
  if (!facts.device_elsewhere.empty()) {
    return {{"wrong-product",
             fmt::format("Product {} has no device {}; product {} has one.", pk, dn, facts.device_elsewhere),
             fmt::format("Use the product key {}, or create the device in product {}.", facts.device_elsewhere, pk)}};
  }
  return {{"device-unknown", fmt::format("Product {} has no device {}.", pk, dn),
           fmt::format("Check the device name in the firmware, or create it: mooring device create --product-key {} "
                       "--device-name {}",
                       pk, dn)}};
}

}  // namespace mooring::doctor
