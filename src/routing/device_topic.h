// The device a topic belongs to (connection.md section 13). Topics of a device need no trie: its session is asked.
//
//   /${pk}/${dn}/...            /sys/${pk}/${dn}/...             /ext/{session,ntp,error}/${pk}/${dn}/...
//   /shadow/{update,get}/${pk}/${dn}/...                         /ota/device/<verb>/${pk}/${dn}/...
//   /ext/rrpc/<id>/<topic>, where <topic> is one of the first two with or without its leading slash
//
// "..." may be absent. Everything else belongs to no device: /broadcast/..., /as/..., $..., topics without a leading
// slash, and those whose product key or device name would be empty.
#pragma once

#include <optional>
#include <string_view>

#include "base/ids.h"

namespace mooring::routing {

inline constexpr std::string_view kCustomRrpcPrefix = "/ext/rrpc/";  // connection.md 13

// Takes a topic or a filter. A filter belongs to a device only if every topic it matches does: nothing when '+' or '#'
// stands in, or hides, the product key, the device name or a fixed word of the tree. The view points into `topic`.
// One pass, no allocation; any input is safe.
std::optional<base::DeviceKeyView> device_of_topic(std::string_view topic);

}  // namespace mooring::routing
