#include "api/admin_permissions.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>

#include "base/text.h"
#include "mqtt/topic.h"
#include "registry/names.h"

namespace mooring::api {
namespace {

constexpr std::string_view kSharePrefix = "$share/";

ApiResult<registry::AccountPermission> read_permission(const boost::json::value& item) {
  if (!item.is_string()) return refuse(400, "bad_request", "'permissions' must be an array of texts");
  auto permission = registry::parse_account_permission({item.as_string().data(), item.as_string().size()});
  if (!permission) return refuse(permission.error());
  const std::string shown = base::printable(permission->filter, 160);
  if (!mqtt::is_valid_filter(permission->filter)) {
    return refuse(400, "invalid",
                  fmt::format("'{}' is no topic filter: '+' must fill a whole level and '#' the last one", shown));
  }
  if (permission->filter.starts_with(kSharePrefix)) {
    return refuse(400, "invalid",
                  fmt::format("'{}': name the filter without $share and group; who may subscribe to a filter may also "
                              "share it",
                              shown));
  }
  return std::move(*permission);
}

}  // namespace

ApiResult<std::optional<std::vector<registry::AccountPermission>>> read_permissions(const boost::json::object& object) {
  using Permissions = std::vector<registry::AccountPermission>;
  const boost::json::value* value = object.if_contains("permissions");
  if (value == nullptr || value->is_null()) return std::optional<Permissions>();
  if (!value->is_array()) return refuse(400, "bad_request", "'permissions' must be an array of texts");
  Permissions permissions;
  for (const boost::json::value& item : value->as_array()) {
    auto permission = read_permission(item);
    if (!permission) return tl::unexpected(permission.error());
    permissions.push_back(std::move(*permission));
  }
  if (auto ok = registry::check_account_permissions(permissions); !ok) return refuse(ok.error());
  return std::optional<Permissions>(std::move(permissions));
}

}  // namespace mooring::api
