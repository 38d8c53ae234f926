// The devices' HTTP interface (connection.md sections 11 and 12): fields, tokens, and what was signed.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "auth/device_http.h"
#include "base/text.h"
#include "crypto/hmac.h"
#include "doctor/claims.h"
#include "doctor/contents.h"
#include "doctor/keys.h"
#include "doctor/password.h"

namespace mooring::doctor {
namespace {

using Fields = std::map<std::string, std::string, std::less<>>;

constexpr std::string_view kLoginPath = "/auth";
constexpr std::string_view kRegisterPath = "/auth/register/device";
constexpr std::string_view kBootstrapPath = "/auth/bootstrap";
constexpr const char* kRule =
    "Sort the names of all fields but sign, signmethod and version (and resources, where /auth/devicename is asked), "
    "and "
    "sign each name directly followed by its value.";

Fields fields_of(const Case& patient) {
  const auto& sent = patient.attempt.http->fields;
  return {sent.begin(), sent.end()};
}

std::string_view value(const Fields& fields, std::string_view name) {
  const auto found = fields.find(name);
  return found == fields.end() ? std::string_view() : std::string_view(found->second);
}

bool is_known(std::string_view name) {
  constexpr std::array<std::string_view, 4> kKnown{"clientId", "deviceName", "productKey", "timestamp"};
  return std::find(kKnown.begin(), kKnown.end(), name) != kKnown.end();
}

std::string joined(const Fields& fields) {
  std::string text;
  for (const auto& [name, value] : fields) text.append(name).append(value);
  return text;
}

// ---- what was signed ----

struct Content {
  std::string text;
  Mistake mistake;  // no name: the right text
};

class Contents {
 public:
  explicit Contents(const Case& patient) : device_(patient.device), sent_(fields_of(patient)), signed_(sent_) {
    const bool login = patient.attempt.http->path == kLoginPath;
    for (const std::string_view name :
         auth::unsigned_fields(login ? auth::HttpService::kLogin : auth::HttpService::kPreauth)) {
      if (const auto found = signed_.find(name); found != signed_.end()) signed_.erase(found);
    }
  }

  std::vector<Content> all() {
    out_.push_back({joined(signed_), {}});
    too_many();
    too_few();
    another_time();
    another_client_id();
    other_names();
    if (std::all_of(signed_.begin(), signed_.end(), [](const auto& one) { return is_known(one.first); })) other_forms();
    return std::move(out_);
  }

 private:
  void add(const Fields& fields, Mistake mistake) { out_.push_back({joined(fields), std::move(mistake)}); }

  void too_many() {
    const auto mistake = [](std::string_view which) {
      return Mistake{"other-parameters-signed", fmt::format("The fields {} were signed, too.", which), kRule};
    };
    if (signed_.size() != sent_.size()) add(sent_, mistake("that are not to be signed"));
    for (const auto& [name, value] : sent_) {
      if (signed_.contains(name)) continue;
      Fields more = signed_;
      more.emplace(name, value);
      add(more, {"other-parameters-signed", fmt::format("The field {} was signed, too.", name), kRule});
    }
  }

  void too_few() {
    Fields known;
    std::string left_out;
    for (const auto& [name, value] : signed_) {
      if (is_known(name)) {
        known.emplace(name, value);
      } else {
        left_out += (left_out.empty() ? "" : ", ") + base::printable(name, 32);
      }
    }
    if (!left_out.empty()) {
      add(known, {"fields-not-signed", fmt::format("These fields were sent, but not signed: {}.", left_out), kRule});
    }
    if (!signed_.contains("timestamp")) return;
    Fields less = signed_;
    less.erase("timestamp");
    add(less, {"timestamp-not-signed", "The request carries a timestamp, but it was not signed.", kRule});
  }

  void another_time() {
    SignedParts parts;
    if (const auto sent = signed_.find("timestamp"); sent != signed_.end()) parts.timestamp = sent->second;
    const auto variants = timestamp_variants(parts);
    for (std::size_t i = 1; i < variants.size(); ++i) {
      if (!variants[i].timestamp) continue;  // in too_few()
      Fields fields = signed_;
      fields["timestamp"] = *variants[i].timestamp;
      add(fields, {variants[i].mistake.name, variants[i].mistake.text,
                   "Sign the very text of the field timestamp, if it is sent, and none if it is not."});
    }
  }

  void another_client_id() {
    const std::string& pk = device_.product_key;
    const std::string& dn = device_.device_name;
    const std::string sent(value(signed_, "clientId"));
    const std::array<std::pair<std::string, const char*>, 6> others{{
        {pk + "." + dn, "productKey.deviceName"},
        {dn, "the bare device name"},
        {pk + "&" + dn, "productKey&deviceName"},
        {dn + "&" + pk, "deviceName&productKey"},
        {sent.substr(0, sent.find('|')), "what stands before the first '|'"},
        {std::string(), "empty"},
    }};
    for (const auto& [other, shown] : others) {
      if (other == sent) continue;
      Fields fields = signed_;
      fields["clientId"] = other;
      add(fields,
          {"other-client-id", fmt::format("The signed clientId is {}, but the field clientId says another one.", shown),
           "Sign the whole field clientId exactly as it is sent."});
    }
  }

  void other_names() {
    const auto variants = names_variants(device_);
    for (std::size_t i = 1; i < variants.size(); ++i) {
      Fields fields = signed_;
      fields["productKey"] = variants[i].names.product_key;
      fields["deviceName"] = variants[i].names.device_name;
      add(fields, variants[i].mistake);
    }
  }

  void other_forms() {
    SignedParts parts;
    if (const auto sent = signed_.find("timestamp"); sent != signed_.end()) parts.timestamp = sent->second;
    const BaseVariant base{std::string(value(signed_, "clientId")), {}};
    const auto forms = form_variants(parts);
    for (std::size_t i = 1; i < forms.size(); ++i) {
      out_.push_back({signed_text(base, {parts.timestamp, {}}, {device_, {}}, forms[i]), forms[i].mistake});
    }
  }

  const base::DeviceKey& device_;
  const Fields sent_;
  Fields signed_;
  std::vector<Content> out_;
};

class Search {
 public:
  Search(const Case& patient, Budget& budget)
      : patient_(patient),
        budget_(budget),
        method_(value(fields_of(patient), "signmethod")),
        readings_(read_password(patient.attempt.password)),
        contents_(Contents(patient).all()) {}

  std::vector<Mistake> run() {
    if (readings_.empty()) return {no_code(patient_.attempt.password)};
    const std::vector<KeyVariant> keys = key_variants(patient_.facts);
    for (std::size_t k = 0; k < keys.size(); ++k) {  // one mistake alone first
      if (try_one(keys[k], contents_[0])) return found_;
    }
    if (neighbours()) return found_;
    for (const KeyVariant& key : keys) {
      for (const Content& content : contents_) {
        if (try_one(key, content)) return found_;
      }
    }
    return {};
  }

 private:
  bool try_one(const KeyVariant& key, const Content& content) {
    for (const PasswordReading& reading : readings_) {
      if (!budget_.take()) return false;
      if (!fits(reading, crypto::hmac(reading.method, key.key, {content.text}))) continue;
      found_.clear();
      note_method(reading);
      for (const Mistake* mistake : {&reading.mistake, &key.mistake, &content.mistake}) {
        if (!mistake->name.empty()) found_.push_back(*mistake);
      }
      return true;
    }
    return false;
  }

  bool neighbours() {
    for (const Neighbour& other : patient_.facts.neighbours) {
      if (other.device_secret.empty() || other.device_name == patient_.device.device_name) continue;
      const std::string shown = base::printable(other.device_name, 64);
      const KeyVariant key{
          other.device_secret,
          {"secret-of-other-device", fmt::format("The secret is that of device {} of the same product.", shown),
           fmt::format("Write the secret of {} into this device, or let it sign in as {}.",
                       base::printable(patient_.device.device_name, 64), shown)}};
      if (try_one(key, contents_[0])) return true;
      if (budget_.left() == 0) return false;
    }
    return false;
  }

  void note_method(const PasswordReading& reading) {
    const auto announced = crypto::parse_hmac_method(method_.empty() ? "hmacmd5" : std::string_view(method_));
    if (announced && *announced == reading.method) return;
    const std::string_view used = crypto::name(reading.method);
    found_.push_back(
        {method_.empty() ? "signmethod-missing" : "other-signmethod",
         fmt::format("The signature was made with {}, but the request names {}.", used,
                     method_.empty() ? "no signmethod, which means hmacmd5" : base::printable(method_, 32)),
         fmt::format("Send signmethod={}, or compute the HMAC with the method that is sent.", used)});
  }

  const Case& patient_;
  Budget& budget_;
  const std::string method_;
  const std::vector<PasswordReading> readings_;
  const std::vector<Content> contents_;
  std::vector<Mistake> found_;
};

// ---- fields ----

std::vector<Mistake> explain_fields(const Case& patient) {
  const Fields fields = fields_of(patient);
  const std::string& path = patient.attempt.http->path;
  const bool registers = path == kRegisterPath;
  std::vector<std::string> needed{"productKey", "deviceName"};
  if (path != kBootstrapPath) needed.insert(needed.end(), {registers ? "random" : "clientId", "sign"});
  std::string missing;
  for (const std::string& name : needed) {
    const bool empty = name == "sign" ? patient.attempt.password.empty() : value(fields, name).empty();
    if (empty) missing += (missing.empty() ? "" : ", ") + name;
  }
  if (!missing.empty()) {
    return {{"fields-missing", fmt::format("The request lacks these fields, or they are empty: {}.", missing),
             "Send them, spelled exactly like this."}};
  }
  const std::string_view method = value(fields, registers ? "signMethod" : "signmethod");
  if (!method.empty() && !crypto::parse_hmac_method(method)) {
    return {{"signmethod-unknown", fmt::format("{} is no method that devices sign with.", base::printable(method, 48)),
             "Use hmacmd5, hmacsha1 or hmacsha256."}};
  }
  if (path != kLoginPath) {
    return {{"field-malformed",
             "A field is longer than any of its kind, or the header Host, which the answer would name, is no host.",
             "Send what the device is called, and ask the server by its name; or set server.public_host."}};
  }
  return {{"field-malformed", "A field is longer than any of its kind, or the timestamp is no whole number.",
           "Send the timestamp as milliseconds since 1970, in digits alone."}};
}

std::vector<Mistake> explain_time(const Case& patient) {
  const Fields fields = fields_of(patient);
  const std::string_view sent = value(fields, "timestamp");
  if (sent == "2524608000000") {
    return {{"timestamp-of-sdk", "The timestamp is the constant 2524608000000, which only a CONNECT may carry.",
             "Send the present time in milliseconds since 1970, or leave timestamp out."}};
  }
  if (sent.size() <= 10) {
    return {{"timestamp-in-seconds", "The timestamp looks like seconds; milliseconds since 1970 are wanted.",
             "Multiply it by 1000, or leave timestamp out."}};
  }
  return {{"clock-is-off", "The timestamp is more than 15 minutes off the server's clock.",
           "Set the device's clock (SNTP), or leave timestamp out. Check the clock of this server, too."}};
}

}  // namespace

std::vector<Mistake> explain_http(const Case& patient) {
  const bool has_fields = patient.attempt.http != nullptr;
  if (patient.refusal == "http-parameter") return has_fields ? explain_fields(patient) : std::vector<Mistake>{};
  if (patient.refusal == "http-timestamp" && has_fields) return explain_time(patient);
  return explain_plainly(patient.refusal);
}

std::vector<Mistake> explain_http_signature(const Case& patient, Budget& budget) {
  if (auto odd = odd_password(patient.attempt.password, patient.facts); odd && odd->name == "secret-as-password") {
    return {*odd};
  }
  return Search(patient, budget).run();
}

void put_in_words_of_http(Mistake& mistake) {
  static constexpr std::pair<std::string_view, std::string_view> kWords[] = {
      {"CONNECT", "request"},
      {"The password", "The field sign"},
      {"the password buffer", "its buffer"},
      {"the password", "the field sign"},
      {"client identifier", "request"},
      {"user name", "request"},
  };
  for (std::string* const text : {&mistake.text, &mistake.advice}) {
    for (const auto& [word, other] : kWords) {
      for (std::size_t at = text->find(word); at != std::string::npos; at = text->find(word, at + other.size())) {
        text->replace(at, word.size(), other);
      }
    }
  }
}

}  // namespace mooring::doctor
