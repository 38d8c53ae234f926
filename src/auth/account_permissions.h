// Which topics an account may publish to and which filters it may subscribe to: the union of its permissions.
//
// Immutable after construction, so any thread may ask. Asking never allocates; its cost is the number of permissions
// times the length of the text.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "auth/permissions.h"

namespace mooring::auth {

struct AccountPermission {
  TopicRight right = TopicRight::kAll;
  std::string filter;  // valid (mqtt/topic.h)
};

class AccountPermissions {
 public:
  explicit AccountPermissions(std::span<const AccountPermission> permissions);

  // A topic name that the codec found valid. Allowed when a filter with the right selects it; "#" selects no topic that
  // begins with '$' (MQTT-4.7.2-1).
  bool may_publish(std::string_view topic) const;
  // A filter that the codec found valid. Allowed when one filter with the right covers all that it can select: two that
  // do so together are not enough. A shared subscription ("$share/group/filter") is judged by its filter.
  bool may_subscribe(std::string_view filter) const;

 private:
  std::vector<std::string> publish_;
  std::vector<std::string> subscribe_;
};

}  // namespace mooring::auth
