// DetachedRates: the rates of devices that publish without a connection (over HTTPS). One loop.
//
// Bounded: a bucket that nobody used for a second is full, and as good as none. When more devices than the bound
// publish within a second all are forgotten, which gives each a second's worth at most. O(1), on average over calls.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "base/ids.h"
#include "base/intrusive_list.h"
#include "broker/rate.h"

namespace mooring::broker {

class DetachedRates {
 public:
  static constexpr std::size_t kMaxDevices = 16'384;

  // Valid until the next call.
  TokenBucket& of(const base::DeviceKeyView& device, base::MonoMs now_ms) {
    auto found = devices_.find(device);
    if (found == devices_.end()) {
      make_room(now_ms);
      found = devices_.try_emplace({std::string(device.product_key), std::string(device.device_name)}).first;
      found->second.device = &found->first;
    }
    Entry& entry = found->second;
    entry.used_ms = now_ms;
    by_use_.push_back(entry);
    return entry.bucket;
  }
  std::size_t size() const { return devices_.size(); }

 private:
  static constexpr base::MonoMs kFullMs = 1000;
  struct UseTag;
  struct Entry : base::ListHook<UseTag> {
    TokenBucket bucket;
    base::MonoMs used_ms = 0;
    const base::DeviceKey* device = nullptr;  // its key in devices_
  };

  // One goes for one that comes, or all: nothing is looked through.
  void make_room(base::MonoMs now_ms) {
    if (devices_.size() < kMaxDevices) return;
    const Entry& idle = *by_use_.front();
    if (now_ms - idle.used_ms < kFullMs) {
      devices_.clear();
    } else {
      devices_.erase(devices_.find(*idle.device));
    }
  }

  base::IntrusiveList<Entry, UseTag> by_use_;  // longest ago first; outlives its entries
  std::unordered_map<base::DeviceKey, Entry, base::DeviceKeyHash, base::DeviceKeyEqual> devices_;
};

}  // namespace mooring::broker
