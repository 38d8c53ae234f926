// Private to the module: "subscribe:/+/+/user/#" in the bodies of requests.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <vector>

#include "api/admin_request.h"
#include "registry/model.h"

namespace mooring::api {

// The member "permissions"; nothing when it is missing.
ApiResult<std::optional<std::vector<registry::AccountPermission>>> read_permissions(const boost::json::object& object);

}  // namespace mooring::api
