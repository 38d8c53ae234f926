// Which reason code of MQTT 5 may stand in which packet (table 2-6 and the tables of the packets). Free function.
#pragma once

#include <cstdint>

#include "mqtt/packet.h"
#include "mqtt/property_block.h"

namespace mooring::mqtt {

// `sender` matters for DISCONNECT and AUTH. A client's DISCONNECT may not have a code that only servers send, while
// "normal disconnection" is taken from a server, too, although the table gives it to clients.
bool is_reason_of(PacketType type, Sender sender, std::uint8_t code);

}  // namespace mooring::mqtt
