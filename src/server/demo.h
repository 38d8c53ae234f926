// The product and the device that `serve --demo` shows: made once, then kept.
#pragma once

#include "base/result.h"
#include "registry/registry.h"

namespace mooring::server {

base::Result<registry::Device> ensure_demo_device(registry::Registry& registry);

}  // namespace mooring::server
