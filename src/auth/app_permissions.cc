#include "auth/app_permissions.h"

#include <algorithm>

#include "mqtt/topic.h"

namespace mooring::auth {
namespace {

bool any_covers(const std::vector<std::string>& trees, std::string_view filter) {
  return std::ranges::any_of(trees, [filter](const std::string& tree) { return mqtt::covers(tree, filter); });
}

}  // namespace

AppPermissions::AppPermissions(base::DeviceKeyView device) {
  const std::string name = std::string(device.product_key) + '/' + std::string(device.device_name);
  publish_ = {'/' + name + "/#", "/sys/" + name + "/#"};
  subscribe_ = publish_;
  // connection.md sections 13 and 14.
  for (const std::string_view tree :
       {"/as/mqtt/status/", "/shadow/update/", "/shadow/get/", "/ota/device/+/", "/ext/error/"}) {
    subscribe_.push_back(std::string(tree) + name);
  }
}

Permission AppPermissions::may_publish(std::string_view topic, const DevicePermissions& device) const {
  return within_publish(topic) ? device.may_subscribe(topic) : Permission::kNotPermitted;
}

Permission AppPermissions::may_subscribe(std::string_view filter) const {
  return any_covers(subscribe_, filter) ? Permission::kAllowed : Permission::kNotPermitted;
}

bool AppPermissions::within_publish(std::string_view filter) const {
  return any_covers(publish_, filter);
}

}  // namespace mooring::auth
