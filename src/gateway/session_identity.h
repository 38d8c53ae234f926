// What a CONNECT tells of the session it wants, before anybody is signed in. Two CONNECTs for one session give the same
// identity; session::home_loop() makes a loop of it (docs/adr/0008). I/O-free.
#pragma once

#include <string>

#include "mqtt/packet.h"

namespace mooring::gateway {

// User name with '&', or an iotToken as password: the device as product key NUL device name, nothing when it names none
// (the sign-in refuses it). Everybody else: the client id. Nothing when that is empty: the server makes one up later,
// so any loop may be home.
std::string session_identity(const mqtt::Connect& packet);

}  // namespace mooring::gateway
