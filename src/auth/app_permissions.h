// What an app that is bound to one device may do: watch all of the device's own topics, and send it what the device may
// receive in its own trees (/pk/dn/ and /sys/pk/dn/). The other side of permissions.h; for tickets.
//
// Immutable but for its DevicePermissions; asking never allocates.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "auth/permissions.h"

namespace mooring::auth {

class AppPermissions {
 public:
  explicit AppPermissions(base::DeviceKeyView device);

  // A topic name that the codec found valid. `device` says what the device itself may receive, by today's rules.
  Permission may_publish(std::string_view topic, const DevicePermissions& device) const;
  // A filter that the codec found valid: allowed when all it can select belongs to the device.
  Permission may_subscribe(std::string_view filter) const;

  // Whether a permission to publish, or to subscribe, with this filter could ever be of use.
  bool within_publish(std::string_view filter) const;
  bool within_subscribe(std::string_view filter) const { return may_subscribe(filter) == Permission::kAllowed; }

 private:
  std::vector<std::string> publish_;
  std::vector<std::string> subscribe_;
};

}  // namespace mooring::auth
