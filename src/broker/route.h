// Route: whom a message goes to, as this loop's matching found it. Kept and filled anew, so that a message allocates
// nothing. One loop.
#pragma once

#include <cstdint>
#include <span>
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
  std::vector<std::uint32_t> shares;   // shared subscriptions, by their index
  std::vector<routing::LoopId> loops;  // others that have receivers
  RequestKind request = kNoRequest;    // it goes to a built-in service, and nowhere else

  void clear() {
    request = kNoRequest;
    targets.clear();
    subscription_ids.clear();
    shares.clear();
    loops.clear();
  }
};

// A route to read: a Route, or what the RouteCache remembers of one. Valid until that changes.
struct RouteView {
  std::span<const Route::Target> targets;
  std::span<const Route::SubscriptionId> subscription_ids;
  std::span<const std::uint32_t> shares;
  std::span<const routing::LoopId> loops;
  RequestKind request = kNoRequest;

  static RouteView of(const Route& route) {
    return {route.targets, route.subscription_ids, route.shares, route.loops, route.request};
  }
  bool is_empty() const { return targets.empty() && shares.empty() && loops.empty(); }
};

}  // namespace mooring::broker
