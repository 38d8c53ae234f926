// What administration did to devices, into the device log. On the registry's writer thread, in the order it happened.
#pragma once

#include <span>

#include "journal/device_log.h"
#include "registry/registry.h"

namespace mooring::server {

// Devices that go with their product are left out: there may be a hundred thousand of them.
void report_changes(std::span<const registry::Change> changes, journal::DeviceLog& log);

}  // namespace mooring::server
