// The status message of connection.md section 14, published on a virtual topic when a device comes or goes.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/ids.h"
#include "broker/client.h"
#include "broker/ports.h"

namespace mooring::broker {

std::string status_topic(const base::DeviceKeyView& device);  // /as/mqtt/status/${pk}/${dn}

// `at_ms`: the moment of the message; `last_ms`: the last communication before the change. Consumers order by the
// latter.
std::string status_message(const Client& client, bool online, base::WallMs at_ms, base::WallMs last_ms,
                           OfflineReason reason);

}  // namespace mooring::broker
