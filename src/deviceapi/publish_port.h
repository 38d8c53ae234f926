// PublishPort: the way of a message that came over HTTP to the loop where its device is at home.
#pragma once

#include <string>

#include "base/executor.h"
#include "base/ids.h"
#include "base/unique_function.h"

namespace mooring::deviceapi {

struct DevicePublish {
  base::DeviceKey device;
  std::string topic;  // valid, and permitted
  std::string payload;
  bool hears_itself = false;  // the device may subscribe to the topic as such
};

class PublishPort {
 public:
  virtual ~PublishPort() = default;
  // As a device's publish with QoS 1. `done` comes later on `reply_to`: true when the message is safe with everybody
  // who keeps it. Without an answer the server is stopping.
  using Done = base::UniqueFunction<void(bool safe)>;
  virtual void publish(DevicePublish message, base::Executor& reply_to, Done done) = 0;
};

}  // namespace mooring::deviceapi
