// TLS-PSK (connection.md 2.5): what an identity says, and what is left to say of a wrong key.
#include <fmt/format.h>

#include <vector>

#include "auth/psk_identity.h"
#include "base/text.h"
#include "doctor/claims.h"

namespace mooring::doctor {
namespace {

constexpr const char* kForm = "Send devicename|hmacsha256|productKey&deviceName|2524608000000 as the identity.";

std::string shown(std::string_view text) {
  return base::printable(text, 64);
}

std::vector<std::string_view> fields_of(std::string_view text) {
  std::vector<std::string_view> fields;
  for (std::size_t pipe = text.find('|'); pipe != std::string_view::npos; pipe = text.find('|')) {
    fields.push_back(text.substr(0, pipe));
    text.remove_prefix(pipe + 1);
  }
  fields.push_back(text);
  return fields;
}

std::vector<Mistake> explain_form(std::string_view identity) {
  const std::vector<std::string_view> fields = fields_of(identity);
  if (fields.size() != 4) {
    return {{"psk-identity-fields",
             fmt::format("The TLS-PSK identity '{}' has {} fields between its pipes; 4 belong there.", shown(identity),
                         fields.size()),
             kForm}};
  }
  std::vector<Mistake> found;
  if (!base::iequals(fields[0], "devicename")) {
    found.push_back({"psk-identity-kind",
                     fmt::format("The TLS-PSK identity begins with '{}', not with devicename.", shown(fields[0])),
                     kForm});
  }
  if (!crypto::parse_hmac_method(fields[1])) {
    found.push_back({"psk-identity-method",
                     fmt::format("The TLS-PSK identity names the method '{}'.", shown(fields[1])),
                     "Use hmacsha256, hmacsha1 or hmacmd5 there, and compute the key with it."});
  }
  if (!auth::device_of_psk_identity(fields[2])) {
    found.push_back({"psk-identity-names",
                     fmt::format("'{}' in the TLS-PSK identity is not productKey&deviceName.", shown(fields[2])),
                     "Put the product key, one '&' and the device name there, in this order."});
  }
  return found;
}

std::vector<Mistake> explain_names(const Case& patient) {
  if (patient.facts.swapped_exists) {
    return {{"psk-names-swapped", "Product key and device name have changed places in the TLS-PSK identity.",
             "Here the product key comes first: productKey&deviceName. In the user name of the CONNECT it is the other "
             "way round."}};
  }
  return explain_unknown(patient);
}

// The client proves in the handshake that it has a key, and does not show it: there is nothing to compute again.
std::vector<Mistake> explain_key(const Case& patient) {
  const auto identity = auth::parse_psk_identity(patient.attempt.psk_identity);
  if (!identity) return {};
  return {
      {"psk-wrong-key",
       "The identity is right, but the client's key is not the one that follows from the device's secret. A "
       "handshake does not show the key, so that it cannot be said what was done instead.",
       fmt::format("Compare the device secret with mooring device show. The key is the {} of "
                   "'id{}&{}timestamp{}' under the secret: its {} upper-case hexadecimal digits as text, not the "
                   "bytes that they stand for.",
                   crypto::name(identity->method), shown(patient.device.product_key), shown(patient.device.device_name),
                   shown(identity->timestamp), 2 * crypto::size_bytes(identity->method))}};
}

}  // namespace

std::vector<Mistake> explain_psk(const Case& patient) {
  if (patient.refusal == "psk-identity-form") return explain_form(patient.attempt.psk_identity);
  if (patient.refusal == "psk-unknown-device") return explain_names(patient);
  if (patient.refusal == "psk-wrong-key") return explain_key(patient);
  if (patient.refusal == "psk-no-secret") {
    return {{"psk-no-secret", "The device has no secret yet, so that no key follows from it.",
             "Let it register dynamically, or give it a secret: mooring device update --device-secret"}};
  }
  return {};
}

}  // namespace mooring::doctor
