// What each kind of client may, and is held to. Pure function, any thread.
#pragma once

#include "gateway/mqtt_conversation.h"
#include "server/options.h"

namespace mooring::server {

// Everything in `services` that follows from the options alone; `services.loops` is known by then.
void set_standings(const Options& options, gateway::MqttServices& services);

}  // namespace mooring::server
