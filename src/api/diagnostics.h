// Where administration learns what happened to devices; the server and the command line hand it over.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "journal/entry.h"
#include "journal/flight.h"

namespace mooring::api {

// The last packets of clients, which are in the memory of a running server only. Called on a registry thread.
class FlightSource {
 public:
  virtual ~FlightSource() = default;
  // `key` as FlightRecorder makes it. Empty: nothing is known of this client.
  virtual base::Result<std::vector<journal::FlightEntry>> flight(const std::string& key) = 0;
};

struct Diagnostics {
  journal::JournalReader* log = nullptr;  // null: there is no device log yet
  FlightSource* flights = nullptr;        // null: no server runs
};

}  // namespace mooring::api
