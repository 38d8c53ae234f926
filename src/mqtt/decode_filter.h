// The check of a topic filter that SUBSCRIBE and UNSUBSCRIBE share.
#pragma once

#include <string_view>

#include "mqtt/decode.h"
#include "mqtt/protocol_errors.h"
#include "mqtt/topic.h"

namespace mooring::mqtt {

// Shared subscriptions belong to MQTT 5; in MQTT 3.x "$share/" is ordinary text to the codec, whatever the broker makes
// of it.
inline const ProtocolError* check_filter(Version version, std::string_view filter) {
  if (!is_valid_filter(filter)) return is_valid_string(filter) ? &errors::kFilter : &errors::kString;
  if (version != Version::k5 || !is_shared_filter(filter)) return nullptr;
  return parse_shared_filter(filter) ? nullptr : &errors::kSharedFilter;
}

}  // namespace mooring::mqtt
