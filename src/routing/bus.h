// Bus: how a message and an interest leave this loop. One implementation joins the loops of one process
// (cluster/local_bus.h); another will join machines.
//
// Each loop has its own Bus object, used on that loop only. Order from one loop to another is kept. Messages are
// collected during a loop turn and handed over in one batch per destination when flush() is called at its end.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/ids.h"
#include "mqtt/message.h"

namespace mooring::routing {

using LoopId = std::uint16_t;

// What arrives at a loop from the others. Implemented by broker::Broker.
class BusListener {
 public:
  virtual ~BusListener() = default;
  // A message that matches an interest of this loop: route it to local sessions only.
  virtual void on_remote_message(const mqtt::MessageRef& message) = 0;
  // Another loop has, or no longer has, subscribers for `filter` that are not a device's own subscriptions.
  virtual void on_remote_interest(LoopId loop, std::string_view filter, bool added) = 0;
  // Another loop is, or no longer is, home of this device's session.
  virtual void on_remote_device(LoopId loop, const base::DeviceKey& device, bool added) = 0;
};

class Bus {
 public:
  virtual ~Bus() = default;
  virtual void add_interest(std::string_view filter) = 0;
  virtual void drop_interest(std::string_view filter) = 0;
  virtual void add_device(const base::DeviceKey& device) = 0;
  virtual void drop_device(const base::DeviceKey& device) = 0;
  // To other loops; never to the caller's own. Each target at most once.
  virtual void publish(const mqtt::MessageRef& message, std::span<const LoopId> targets) = 0;
  // Hands over what was collected; called at the end of a turn, and before anything whose order against these
  // messages matters.
  virtual void flush() = 0;
};

}  // namespace mooring::routing
