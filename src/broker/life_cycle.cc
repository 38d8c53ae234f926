#include "broker/life_cycle.h"

#include <boost/json.hpp>

#include "broker/broker.h"

namespace mooring::broker {
namespace {

std::string_view name_of(LifeCycleEvent::Action action) {
  switch (action) {
    case LifeCycleEvent::Action::kCreate:
      return "create";
    case LifeCycleEvent::Action::kDelete:
      return "delete";
    case LifeCycleEvent::Action::kEnable:
      return "enable";
    case LifeCycleEvent::Action::kDisable:
      return "disable";
  }
  return "";
}

}  // namespace

std::string life_cycle_topic(const base::DeviceKey& device) {
  return "/" + device.product_key + "/" + device.device_name + "/thing/lifecycle";
}

std::string life_cycle_message(const LifeCycleEvent& event, base::WallMs at_ms) {
  boost::json::object message;
  message["action"] = name_of(event.action);
  message["iotId"] = event.iot_id;
  message["productKey"] = event.device.product_key;
  message["deviceName"] = event.device.device_name;
  message["deviceSecret"] = event.action == LifeCycleEvent::Action::kCreate ? event.device_secret : std::string();
  message["messageCreateTime"] = at_ms;
  return boost::json::serialize(message);
}

// Most of the time nobody asks, and an import makes a hundred thousand devices.
void Broker::tell_life_cycle(const LifeCycleEvent& event) {
  const std::string topic = life_cycle_topic(event.device);
  if (!find_receivers(topic)) return;
  send_internal(topic, life_cycle_message(event, parts_.clock.wall_ms()), 1, false);
}

}  // namespace mooring::broker
