#include "doctor/signature.h"

#include <fmt/format.h>

#include "auth/client_id.h"
#include "base/text.h"
#include "crypto/hmac.h"
#include "doctor/keys.h"
#include "doctor/password.h"

namespace mooring::doctor {
namespace {

class Search {
 public:
  Search(const Case& patient, Budget& budget)
      : patient_(patient),
        budget_(budget),
        parts_(parts_of(patient.attempt)),
        readings_(read_password(patient.attempt.password)),
        keys_(key_variants(patient.facts)),
        bases_(base_variants(parts_, patient.device)),
        timestamps_(timestamp_variants(parts_)),
        names_(names_variants(patient.device)),
        forms_(form_variants(parts_)) {}

  std::vector<Mistake> run() {
    if (readings_.empty()) return {};
    if (!patient_.facts.device_secret.empty() || !patient_.facts.product_secret.empty()) {
      if (try_one({})) return found_;
      if (singles() || swapped_key_and_text() || neighbours() || pairs()) return found_;
    }
    return {};
  }

 private:
  // Which variant of each dimension; 0 is the right one.
  struct Choice {
    std::size_t key = 0, base = 0, timestamp = 0, name = 0, form = 0;
  };
  using Dimension = std::size_t Choice::*;

  bool matches(std::string_view key, std::string_view text) {
    for (const PasswordReading& reading : readings_) {
      if (!budget_.take()) return false;
      if (!fits(reading, crypto::hmac(reading.method, key, {text}))) continue;
      note_method(reading);
      note(reading.mistake);
      return true;
    }
    return false;
  }

  bool try_one(const Choice& choice) {
    found_.clear();
    const std::string text =
        signed_text(bases_[choice.base], timestamps_[choice.timestamp], names_[choice.name], forms_[choice.form]);
    if (!matches(keys_[choice.key].key, text)) return false;
    note(keys_[choice.key].mistake);
    note(bases_[choice.base].mistake);
    note(timestamps_[choice.timestamp].mistake);
    note(names_[choice.name].mistake);
    note(forms_[choice.form].mistake);
    return true;
  }

  std::size_t size_of(Dimension dimension) const {
    if (dimension == &Choice::key) return keys_.size();
    if (dimension == &Choice::base) return bases_.size();
    if (dimension == &Choice::timestamp) return timestamps_.size();
    if (dimension == &Choice::name) return names_.size();
    return forms_.size();
  }

  bool singles() {
    for (const Dimension dimension : kDimensions) {
      for (std::size_t i = 1; i < size_of(dimension); ++i) {
        Choice choice;
        choice.*dimension = i;
        if (try_one(choice)) return true;
      }
    }
    return false;
  }

  bool pairs() {
    for (std::size_t a = 0; a < std::size(kDimensions); ++a) {
      for (std::size_t b = a + 1; b < std::size(kDimensions); ++b) {
        for (std::size_t i = 1; i < size_of(kDimensions[a]); ++i) {
          for (std::size_t j = 1; j < size_of(kDimensions[b]); ++j) {
            if (budget_.left() == 0) return false;
            Choice choice;
            choice.*kDimensions[a] = i;
            choice.*kDimensions[b] = j;
            if (try_one(choice)) return true;
          }
        }
      }
    }
    return false;
  }

  bool swapped_key_and_text() {
    found_.clear();
    const std::string text = signed_text(bases_[0], timestamps_[0], names_[0], forms_[0]);
    if (!matches(text, keys_[0].key)) return false;
    note({"key-and-text-swapped", "The HMAC was computed with the text as the key and the secret as the text.",
          "Call the HMAC function with the device secret as the key and the signed text as the data."});
    return true;
  }

  // A board that was flashed with another board's data, wholly or in part.
  bool neighbours() {
    const std::string own = signed_text(bases_[0], timestamps_[0], names_[0], forms_[0]);
    for (const Neighbour& other : patient_.facts.neighbours) {
      if (other.device_secret.empty() || other.device_name == patient_.device.device_name) continue;
      found_.clear();
      const std::string shown = base::printable(other.device_name, 64);
      if (matches(other.device_secret, own)) {
        note({"secret-of-other-device", fmt::format("The secret is that of device {} of the same product.", shown),
              fmt::format("Write the secret of {} into this device, or let it sign in as {}.",
                          base::printable(patient_.device.device_name, 64), shown)});
        return true;
      }
      const NamesVariant names{{patient_.device.product_key, other.device_name}, {}};
      if (matches(other.device_secret, signed_text(bases_[0], timestamps_[0], names, forms_[0]))) {
        note({"signed-as-other-device",
              fmt::format("Secret and signed device name are those of device {}, but the user name is another one.",
                          shown),
              "Use one and the same device name in the user name, in the signed text and for the secret."});
        return true;
      }
      if (budget_.left() == 0) return false;
    }
    return false;
  }

  void note_method(const PasswordReading& reading) {
    const auto announced = crypto::parse_hmac_method(parts_.sign_method.empty() ? "hmacmd5" : parts_.sign_method);
    if (announced && *announced == reading.method) return;
    const std::string used(crypto::name(reading.method));
    if (parts_.sign_method.empty()) {
      note({"signmethod-missing",
            fmt::format("The signature was made with {}, but the client identifier names no signmethod, which means "
                        "hmacmd5.",
                        used),
            fmt::format("Add signmethod={} to the client identifier.", used)});
      return;
    }
    note({"other-signmethod",
          fmt::format("The signature was made with {}, but the client identifier says signmethod={}.", used,
                      base::printable(parts_.sign_method, 32)),
          fmt::format("Write signmethod={} into the client identifier, or compute the HMAC with the method that it "
                      "names.",
                      used)});
  }

  void note(const Mistake& mistake) {
    if (!mistake.name.empty()) found_.push_back(mistake);
  }

  static constexpr Dimension kDimensions[] = {&Choice::timestamp, &Choice::key, &Choice::base, &Choice::name,
                                              &Choice::form};
  const Case& patient_;
  Budget& budget_;
  const SignedParts parts_;
  const std::vector<PasswordReading> readings_;
  const std::vector<KeyVariant> keys_;
  const std::vector<BaseVariant> bases_;
  const std::vector<TimestampVariant> timestamps_;
  const std::vector<NamesVariant> names_;
  const std::vector<FormVariant> forms_;
  std::vector<Mistake> found_;
};

}  // namespace

SignedParts parts_of(const journal::SignInAttempt& attempt) {
  SignedParts parts;
  parts.client_id = attempt.client_id;
  const auto id = auth::parse_client_id(attempt.client_id);
  if (!id) {
    parts.base = parts.client_id.substr(0, parts.client_id.find('|'));
    return parts;
  }
  parts.base = id->base;
  if (id->timestamp) parts.timestamp = std::string(*id->timestamp);
  parts.sign_method = id->sign_method.value_or("");
  parts.secure_mode = id->secure_mode.value_or("");
  return parts;
}

std::vector<Mistake> explain_signature(const Case& patient, Budget& budget) {
  if (auto odd = odd_password(patient.attempt.password, patient.facts)) return {*odd};
  auto found = Search(patient, budget).run();
  if (!found.empty()) return found;
  if (read_password(patient.attempt.password).empty()) {
    return {no_code(patient.attempt.password)};
  }
  return {};
}

}  // namespace mooring::doctor
