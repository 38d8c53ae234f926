// What a device asked over HTTP and how it ended, for the device log. Plain value; belongs to its request.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "auth/device_http.h"
#include "journal/device_log.h"

namespace mooring::deviceapi {

struct CallReport {
  auth::HttpService service;
  bool tls = false;
  std::string address;          // of the device, without port
  base::DeviceKey device = {};  // as claimed; empty names until the request has told
  // Of a registration: as the CONNECT would look that asks the same, for the doctor.
  std::unique_ptr<journal::SignInAttempt> attempt = {};
};

std::unique_ptr<journal::SignInAttempt> registration_attempt(const auth::HttpFields& fields);

// Each after the answer was given. `name`: static, as the refusal has it over MQTT; empty: there is none of its own.
void record_refused(journal::DeviceLog& log, CallReport& call, const auth::HttpRefusal& refusal, std::string_view name);
void record_done(journal::DeviceLog& log, CallReport& call);
void record_denied(journal::DeviceLog& log, CallReport& call, const std::string& topic);

}  // namespace mooring::deviceapi
