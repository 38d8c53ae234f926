// The devices that a run signs in as, out of a CSV file as `mooring device import` takes it.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "client.h"

namespace mooring::bench {

struct Device {
  base::DeviceKey key;
  SignIn sign_in;  // holds a password: never print it
};

inline constexpr std::size_t kMaxDeviceFileBytes = 64 * 1024 * 1024;

// The first `count` devices of the file, signed for `secure` transport or a plain one. kInvalidArgument when there are
// fewer.
base::Result<std::vector<Device>> load_devices(const std::string& file, std::size_t count, bool secure);

}  // namespace mooring::bench
