// The life-cycle message of connection.md section 14, for back ends: a device was made, deleted, enabled or disabled.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/ids.h"

namespace mooring::broker {

struct LifeCycleEvent {
  enum class Action { kCreate, kDelete, kEnable, kDisable };
  Action action = Action::kCreate;
  base::DeviceKey device;
  std::string iot_id;
  std::string device_secret;  // kCreate only; goes to whoever may subscribe to the topic
};

std::string life_cycle_topic(const base::DeviceKey& device);  // /${pk}/${dn}/thing/lifecycle
std::string life_cycle_message(const LifeCycleEvent& event, base::WallMs at_ms);

}  // namespace mooring::broker
