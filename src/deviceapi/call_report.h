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
  std::unique_ptr<journal::SignInAttempt> attempt = {};  // for the doctor; null: there is nothing to examine
};

// Whose matter a request is and what it said; from then on a refusal is explained.
void note_fields(CallReport& call, std::string_view path, const auth::HttpFields& fields);

// Each after the answer was given.
void record_refused(journal::DeviceLog& log, CallReport& call, const auth::HttpRefusal& refusal);
void record_done(journal::DeviceLog& log, CallReport& call);
void record_denied(journal::DeviceLog& log, CallReport& call, const std::string& topic);

}  // namespace mooring::deviceapi
