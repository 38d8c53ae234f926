// A flight record as a capture file (pcapng) that Wireshark opens: MQTT over TCP, put together from what was noted.
//
// What was not kept is not invented: such packets are marked as cut, with their true length. Addresses are the peer's
// and a documentation address for the server, ports 1883 and the peer's, sequence numbers made up; WebSocket and TLS
// are left out. Pure function, any thread.
#pragma once

#include <span>
#include <string>

#include "journal/flight.h"

namespace mooring::journal {

std::string capture_file(std::span<const FlightEntry> entries, std::string_view title);

}  // namespace mooring::journal
