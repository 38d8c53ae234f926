// What reaches a device without a SUBSCRIBE of its own (connection.md 6.6): the automatic subscriptions of a device
// that connected with "_ss=1", and the topics that the platform pushes to every device.
//
// The automatic ones are one table for all devices. A session keeps a flag and a bit for each that was unsubscribed
// (session.h); nothing is kept or routed for each device and topic. I/O-free, any thread, no allocation.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace mooring::session {

// Numbers of automatic topics are stored: they never change, new ones are appended. At most 64.
inline constexpr std::size_t kAutomaticTopics = 46;

// The number of the automatic subscription whose filter this is, or that matches this topic; no topic is matched by
// two. Nothing: it is none of the device's.
std::optional<std::size_t> automatic_filter_number(const base::DeviceKeyView& device, std::string_view filter);
std::optional<std::size_t> automatic_topic_number(const base::DeviceKeyView& device, std::string_view topic);

// The filter itself.
std::string automatic_filter(const base::DeviceKeyView& device, std::size_t number);

// Whether what the platform publishes to this topic of the device reaches it without any subscription:
// /ext/error/${pk}/${dn}, /ext/ntp/${pk}/${dn}/response, /sys/${pk}/${dn}/broadcast/request/+. Topics without a device
// in them (/ext/notify and those of registration) are sent on the connection they concern, and never routed.
bool is_pushed_topic(const base::DeviceKeyView& device, std::string_view topic);

}  // namespace mooring::session
