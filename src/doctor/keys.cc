#include "doctor/keys.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/text.h"

namespace mooring::doctor {
namespace {

std::string to_upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return text;
}

}  // namespace

std::vector<KeyVariant> key_variants(const RegistryFacts& facts) {
  const std::string& secret = facts.device_secret;
  std::vector<KeyVariant> out;
  out.push_back({secret, {}});
  if (!facts.product_secret.empty() && facts.product_secret != secret) {
    out.push_back({facts.product_secret,
                   {"product-secret", "The signature was made with the product's secret, not with the device's.",
                    "Put the device secret (mooring device show) where the firmware has the product secret; the "
                    "product secret serves dynamic registration only."}});
  }
  if (secret.empty()) return out;
  const auto blank = [&](std::string key, const char* name, const char* where) {
    out.push_back({std::move(key),
                   {name, std::string("The secret in the device has ") + where + ".",
                    "Remove it: the secret is the bare text, without blanks, line ends or quotes."}});
  };
  blank(secret + "\n", "secret-with-newline", "a line feed behind it");
  blank(secret + "\r\n", "secret-with-newline", "a line end (CR LF) behind it");
  blank(secret + "\r", "secret-with-newline", "a carriage return behind it");
  blank(secret + " ", "secret-with-blank", "a blank behind it");
  blank(" " + secret, "secret-with-blank", "a blank before it");
  blank("\n" + secret, "secret-with-newline", "a line feed before it");
  blank("\t" + secret, "secret-with-blank", "a tab before it");
  blank(secret + "\t", "secret-with-blank", "a tab behind it");
  blank("\"" + secret + "\"", "secret-in-quotes", "quotes around it");
  blank("'" + secret + "'", "secret-in-quotes", "quotes around it");
  if (const std::string upper = to_upper(secret); upper != secret) {
    out.push_back({upper,
                   {"secret-in-upper-case", "The secret was turned into upper case before signing.",
                    "Use the secret exactly as it was issued: the case of its letters counts."}});
  }
  if (const std::string lower = base::to_lower(secret); lower != secret) {
    out.push_back({lower,
                   {"secret-in-lower-case", "The secret was turned into lower case before signing.",
                    "Use the secret exactly as it was issued: the case of its letters counts."}});
  }
  if (const auto bytes = base::from_hex(secret); bytes && !bytes->empty()) {
    out.push_back({std::string(base::as_text(*bytes)),
                   {"secret-decoded-from-hex", "The secret was decoded from hexadecimal before signing.",
                    "Use the text of the secret as the HMAC key, without decoding it."}});
  }
  out.push_back({secret + "&",
                 {"secret-with-ampersand", "A '&' was appended to the secret, as the cloud's OpenAPI wants it.",
                  "Devices sign with the bare device secret."}});
  if (secret.size() > 8) {
    out.push_back({secret.substr(0, secret.size() - 1),
                   {"secret-cut", "The last character of the secret is missing.",
                    "Check the size of the buffer that holds the secret: its text has " +
                        std::to_string(secret.size()) + " characters and needs room for a final zero byte."}});
    out.push_back(
        {secret.substr(1),
         {"secret-cut", "The first character of the secret is missing.", "Check how the firmware copies the secret."}});
  }
  return out;
}

}  // namespace mooring::doctor
