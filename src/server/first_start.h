// What a data folder needs that has not been used yet. On the main thread; the registry may be at work already.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "registry/registry.h"

namespace mooring::server {

struct FirstUser {
  std::string name;
  std::string password;  // to be changed at the first sign-in; nobody but the announcement knows it
};

// Somebody must be able to sign in to the console. Nothing: there are users.
base::Result<std::optional<FirstUser>> ensure_first_user(registry::Registry& registry);

// The product and the device that `serve --demo` shows: made once, then kept.
base::Result<registry::Device> ensure_demo_device(registry::Registry& registry);

}  // namespace mooring::server
