// PublishPort: the way of a message that came over HTTP to the loop where its device is at home.
#pragma once

#include <cstdint>
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
  bool standard = false;      // of a product with profile mqtt: under none of the limits for devices
};

enum class PublishOutcome : std::uint8_t {
  kSafe,       // with everybody who keeps it
  kFailed,     // not stored everywhere
  kThrottled,  // over the device's rate, or that of all devices: nothing was published
};

class PublishPort {
 public:
  virtual ~PublishPort() = default;
  // As a device's publish with QoS 1, under the same rates. `done` comes later on `reply_to`. Without an answer the
  // server is stopping.
  using Done = base::UniqueFunction<void(PublishOutcome)>;
  virtual void publish(DevicePublish message, base::Executor& reply_to, Done done) = 0;
};

}  // namespace mooring::deviceapi
