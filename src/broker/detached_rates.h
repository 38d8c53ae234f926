// DetachedRates: the rates of devices that publish without a connection (over HTTPS). One loop.
//
// Bounded: a bucket that nobody used for a second is full, and as good as none. When more devices than the bound
// publish within a second all are forgotten, which gives each a second's worth at most.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>

#include "base/clock.h"
#include "base/ids.h"
#include "broker/rate.h"

namespace mooring::broker {

class DetachedRates {
 public:
  static constexpr std::size_t kMaxDevices = 16'384;

  // Valid until the next call.
  TokenBucket& of(const base::DeviceKeyView& device, base::MonoMs now_ms) {
    if (const auto found = devices_.find(device); found != devices_.end()) {
      found->second.used_ms = now_ms;
      return found->second.bucket;
    }
    if (devices_.size() >= kMaxDevices) {
      boost::unordered::erase_if(devices_, [&](const auto& entry) { return now_ms - entry.second.used_ms >= kFullMs; });
    }
    if (devices_.size() >= kMaxDevices) devices_.clear();
    Entry& entry = devices_[{std::string(device.product_key), std::string(device.device_name)}];
    entry.used_ms = now_ms;
    return entry.bucket;
  }
  std::size_t size() const { return devices_.size(); }

 private:
  static constexpr base::MonoMs kFullMs = 1000;
  struct Entry {
    TokenBucket bucket;
    base::MonoMs used_ms = 0;
  };
  boost::unordered_flat_map<base::DeviceKey, Entry, base::DeviceKeyHash, base::DeviceKeyEqual> devices_;
};

}  // namespace mooring::broker
