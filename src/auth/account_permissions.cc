#include "auth/account_permissions.h"

#include <algorithm>

#include "mqtt/topic.h"

namespace mooring::auth {
namespace {

constexpr std::string_view kSharePrefix = "$share/";

// MQTT 5 section 4.8.2; empty when group or filter are missing.
std::string_view without_share(std::string_view filter) {
  if (!filter.starts_with(kSharePrefix)) return filter;
  filter.remove_prefix(kSharePrefix.size());
  const std::size_t slash = filter.find('/');
  if (slash == 0 || slash == std::string_view::npos) return {};
  return filter.substr(slash + 1);
}

}  // namespace

AccountPermissions::AccountPermissions(std::span<const AccountPermission> permissions) {
  for (const AccountPermission& permission : permissions) {
    if (permission.right != TopicRight::kSubscribe) publish_.push_back(permission.filter);
    if (permission.right != TopicRight::kPublish) subscribe_.push_back(permission.filter);
  }
}

bool AccountPermissions::may_publish(std::string_view topic) const {
  return std::ranges::any_of(publish_, [topic](const std::string& own) { return mqtt::matches(own, topic); });
}

bool AccountPermissions::may_subscribe(std::string_view filter) const {
  filter = without_share(filter);
  if (filter.empty()) return false;
  return std::ranges::any_of(subscribe_, [filter](const std::string& own) { return mqtt::covers(own, filter); });
}

}  // namespace mooring::auth
