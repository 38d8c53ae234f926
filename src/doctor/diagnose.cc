#include "doctor/diagnose.h"

#include <algorithm>

#include "doctor/claims.h"
#include "doctor/signature.h"

namespace mooring::doctor {
namespace {

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<Mistake> wrong_signature(const Case& patient, Budget& budget) {
  std::vector<Mistake> found =
      patient.attempt.http != nullptr ? explain_http_signature(patient, budget) : explain_signature(patient, budget);
  if (found.empty()) {
    found.push_back(
        {"signature-unexplained",
         budget.cut_short()
             ? "The signature fits neither the device's secret nor any of the usual mistakes that there was "
               "time for."
             : "The signature fits neither the device's secret nor any of the usual mistakes.",
         "Most likely the device has another secret: compare it with mooring device show, and the signed "
         "text with mooring sign."});
  }
  if (patient.attempt.http != nullptr) return found;
  for (Mistake& more : odd_secure_mode(patient)) found.push_back(std::move(more));
  return found;
}

std::vector<Mistake> explain(const Case& patient, Budget& budget) {
  const std::string_view refusal = patient.refusal;
  if (refusal == "wrong-signature") return wrong_signature(patient, budget);
  if (refusal.starts_with("http-")) return explain_http(patient);
  if (refusal == "unknown-device") return explain_unknown(patient);
  if (is_one_of(refusal, {"credentials-missing", "user-name-form", "unknown-user"})) return explain_user_name(patient);
  if (refusal == "certificate-missing" && patient.attempt.user_name == "&") return explain_user_name(patient);
  if (is_one_of(refusal, {"client-id-too-long", "client-id-parameter", "securemode-unknown", "signmethod-unknown",
                          "authtype-unknown", "base-client-id"})) {
    return explain_client_id(patient);
  }
  if (is_one_of(refusal, {"keep-alive-too-short", "keep-alive-too-long"})) return explain_keep_alive(patient);
  if (is_one_of(refusal, {"device-disabled", "no-secret", "certificate-missing", "securemode-mismatch"})) {
    return explain_admission(patient);
  }
  if (refusal.starts_with("registration-")) {
    if (auto found = explain_registration(patient, budget); !found.empty()) return found;
  }
  if (refusal.starts_with("psk-")) return explain_psk(patient);
  return explain_plainly(refusal);
}

}  // namespace

journal::Diagnosis combine(const std::vector<Mistake>& mistakes) {
  journal::Diagnosis out;
  for (const Mistake& mistake : mistakes) {
    if (!out.name.empty()) {
      out.name += '+';
      out.text += " Besides: ";
      out.advice += ' ';
    }
    out.name += mistake.name;
    out.text += mistake.text;
    out.advice += mistake.advice;
  }
  return out;
}

journal::Diagnosis diagnose(const Case& patient, Budget& budget) {
  std::vector<Mistake> found = explain(patient, budget);
  if (patient.attempt.http != nullptr) {
    for (Mistake& mistake : found) put_in_words_of_http(mistake);
  }
  return combine(found);
}

}  // namespace mooring::doctor
