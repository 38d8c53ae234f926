// ChildHost: the children whose home this loop is and that are online, or sign in, through a gateway. To the broker
// each is a client like any other; its connection is a ChildLink (docs/adr/0018). One per loop, used on that loop only;
// the gateway's side (children.h) posts what it wants.
//
// Bounded by the gateways: each has so many children, and so many bytes under way.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <memory>
#include <string>
#include <vector>

#include "auth/child_sign_in.h"
#include "auth/permissions.h"
#include "base/clock.h"
#include "base/executor.h"
#include "broker/broker.h"
#include "gateway/device_sign_in.h"
#include "things/child_link.h"

namespace mooring::things {

// The rules that children live under: those of every device of their product's profile. A reload changes them in place.
struct ChildRules {
  const broker::ClientRules& device;
  const broker::ClientRules& standard_device;  // profile `mqtt`
  const auth::TopicLimits& topics;
};

class ChildHost {
 public:
  struct Parts {
    broker::Broker& broker;
    gateway::DeviceSignIn& sign_in;
    ChildRules rules;
    base::Executor& loop;
    const base::Clock& clock;
  };
  explicit ChildHost(const Parts& parts);
  ~ChildHost();
  ChildHost(const ChildHost&) = delete;
  ChildHost& operator=(const ChildHost&) = delete;

  // Whether the proof of a sign-in holds: answered with kChecked. Nothing else happens.
  void check(const ChildLinkRef& link, ChildNumber number, auth::ChildSignIn child);
  // The same, and the child gets its session: kJoined. `arrival`: Broker::arrival() when it was asked for.
  void join(const ChildLinkRef& link, ChildNumber number, auth::ChildSignIn child, std::uint64_t arrival);
  // It is gone, online by now or not. Nothing comes of it any more.
  void leave(const ChildId& id, broker::OfflineReason reason);

  void publish(const ChildLinkRef& link, ChildNumber number, const OwnedPublish& message);
  void subscribe(const ChildId& id, std::uint16_t packet_id, const OwnedFilters& filters,
                 std::uint32_t subscription_id);
  void unsubscribe(const ChildId& id, std::uint16_t packet_id, const OwnedFilters& filters);
  void acknowledged(const ChildId& id, std::uint16_t packet_id);
  void resume(const std::vector<ChildNumber>& children, std::uint64_t link);

  // The child is no more this gateway's: it goes offline, if it came through that one.
  void topology_gone(const base::DeviceKey& child, const base::DeviceKey& gateway);

  std::size_t size() const { return children_.size(); }

 private:
  class Connection;

  Connection* find(const ChildId& id);
  std::shared_ptr<broker::Client> speaking(const ChildId& id);
  void complete_later(const ChildId& id, std::uint16_t packet_id);
  void tell(const ChildLinkRef& link, ChildOutput output);
  void flush();
  void on_found(const ChildId& id, const auth::ChildSignIn& child, std::uint64_t arrival,
                const base::Result<const gateway::CachedCredential*>& found);
  void attach(Connection& connection, const auth::ChildSignIn& child, std::uint64_t arrival,
              const gateway::CachedCredential& credential);
  void refuse(Connection& connection, int code);
  void forget(const ChildId& id);
  void forget_later(const ChildId& id);

  const Parts parts_;
  boost::unordered_flat_map<ChildId, std::unique_ptr<Connection>, ChildIdHash> children_;
  // Of each device: more than one while a gateway wants what another one has.
  boost::unordered_flat_map<base::DeviceKey, std::vector<ChildId>, base::DeviceKeyHash, base::DeviceKeyEqual>
      by_device_;
  // What this turn has for the gateways' loops.
  struct Outbox {
    ChildLinkRef link;
    std::vector<ChildOutput> outputs;
  };
  boost::unordered_flat_map<std::uint64_t, Outbox> outboxes_;
};

}  // namespace mooring::things
