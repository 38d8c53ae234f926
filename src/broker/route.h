// Route: whom a message goes to, as this loop's matching found it. Kept and filled anew, so that a message allocates
// nothing. One loop.
#pragma once

#include <cstdint>
#include <vector>

#include "broker/ports.h"
#include "routing/bus.h"

namespace mooring::broker {

struct LocalSession;

struct Route {
  static constexpr std::uint32_t kNoId = 0xFFFF'FFFF;

  struct Target {
    LocalSession* session;
    std::uint8_t qos;
    bool retain_as_published;
    bool own_topic;          // the message's topic is the device's own
    std::uint32_t first_id;  // in subscription_ids; kNoId: none
  };
  struct SubscriptionId {
    std::uint32_t id;
    std::uint32_t next;
  };

  std::vector<Target> targets;  // each session once
  std::vector<SubscriptionId> subscription_ids;
  std::vector<std::uint32_t> shares;  // shared subscriptions, by their index
  std::vector<routing::LoopId> loops;  // others that have receivers
  RequestKind request = kNoRequest;    // it goes to a built-in service, and nowhere else

  void clear() {
    request = kNoRequest;
    targets.clear();
    subscription_ids.clear();
    shares.clear();
    loops.clear();
  }
  bool is_empty() const { return targets.empty() && shares.empty() && loops.empty(); }
};

}  // namespace mooring::broker
