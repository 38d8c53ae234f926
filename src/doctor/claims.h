// Private to the module: what is wrong with names and parameters, seen without computing anything.
#pragma once

#include <vector>

#include "doctor/case.h"

namespace mooring::doctor {

std::vector<Mistake> explain_user_name(const Case& patient);  // its form
std::vector<Mistake> explain_unknown(const Case& patient);    // no such product or device
std::vector<Mistake> explain_client_id(const Case& patient);  // parameters of the client identifier, base
std::vector<Mistake> explain_keep_alive(const Case& patient);
std::vector<Mistake> explain_admission(const Case& patient);  // transport, disabled, no secret
std::vector<Mistake> explain_registration(const Case& patient, Budget& budget);
// A request of the devices' HTTP interface: its fields and token; what was signed instead of what should have been.
std::vector<Mistake> explain_http(const Case& patient);
std::vector<Mistake> explain_http_signature(const Case& patient, Budget& budget);
void put_in_words_of_http(Mistake& mistake);                     // that were chosen for a CONNECT
std::vector<Mistake> explain_psk(const Case& patient);           // a TLS-PSK handshake
std::vector<Mistake> explain_plainly(std::string_view refusal);  // those that say themselves what is wrong
// securemode against the transport, whatever else is wrong. Nothing: it fits.
std::vector<Mistake> odd_secure_mode(const Case& patient);

}  // namespace mooring::doctor
