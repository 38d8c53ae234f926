// Services: what the server answers devices that publish requests to it; here gateways that manage their children
// (platform.md section 7, connection.md 12):
//
//   /ext/session/${pk}/${dn}/combine/login, logout, batch_login, batch_logout
//   /sys/${pk}/${dn}/thing/topo/add, delete, get
//   /sys/${pk}/${dn}/thing/sub/register, unregister, /sys/${pk}/${dn}/thing/proxy/provisioning/product_register
//
// One per loop, used on it. The registry is asked by message. An answer goes to the connection that asked, with QoS 0,
// on the topic with "_reply" behind it; when the connection has ended meanwhile there is none. Bounds: children.h.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/broker.h"
#include "gateway/device_sign_in.h"
#include "journal/device_log.h"
#include "registry/registry_service.h"
#include "things/alink.h"
#include "things/child_host.h"
#include "things/child_hosts.h"
#include "things/children.h"

namespace mooring::things {

class Services final : public broker::RequestPort {
 public:
  struct Parts {
    std::uint16_t loop_id = 0;
    broker::Broker& broker;
    gateway::DeviceSignIn& sign_in;
    ChildRules rules;
    registry::RegistryService& registry;
    base::Executor& loop;
    const base::Clock& clock;
    journal::DeviceLog& log;
    const ChildHosts& hosts;
  };
  explicit Services(const Parts& parts);

  // broker::RequestPort
  broker::RequestKind kind_of(std::string_view topic) const override;
  void on_request(broker::Client& client, broker::RequestKind kind, const mqtt::Publish& packet) override;
  void on_foreign_topic(broker::Client& client, const base::DeviceKeyView& owner) override;

  ChildHost& host() { return host_; }
  void set_limits(const ServiceLimits& limits) { limits_ = limits; }

  // On every loop: the child is no more the former gateway's.
  void topology_gone(const base::DeviceKey& child, const base::DeviceKey& former);
  // On every loop: tells the child's gateway, if its connection is here.
  enum class ChildChange : std::uint8_t { kEnabled, kDisabled, kDeleted };
  void child_changed(const base::DeviceKey& gateway, const base::DeviceKey& child, ChildChange change);

 private:
  enum class Kind : broker::RequestKind;
  struct Row;
  static const Row kRows[];
  struct Call;
  struct TopologyAdd;
  struct ProxyRegistration;
  using CallRef = std::shared_ptr<Call>;

  CallRef make_call(broker::Client& client, std::string_view topic, const Request* request) const;
  Children& children_of(broker::Client& client);
  static Children* known_children_of(const broker::Client& client);
  void answer(const Call& call, int code, std::string_view data = "{}");
  // Likewise, of a child that was refused: for its log, and for the back-off of the gateway's address.
  void refuse(const Call& call, int code, const base::DeviceKey& child);
  bool turned_away(const Call& call, const base::DeviceKey& child);
  void record(const Call& call, journal::Action action, int code, std::string_view name, std::string_view text,
              const base::DeviceKey& child, bool known);
  bool takes_topology_change(Children& children, const CallRef& call, std::size_t items);
  bool may_tell_secrets(const broker::Client& client, const CallRef& call);

  // session_requests.cc
  void log_in(Children& children, const Request& request, const CallRef& call);
  void log_out(Children& children, const Request& request, const CallRef& call);

  // topology_requests.cc
  void add_to_topology(const Request& request, const CallRef& call);
  void on_proof(const std::shared_ptr<TopologyAdd>& add, std::size_t index,
                const base::Result<const gateway::CachedCredential*>& found);
  void remove_from_topology(Children& children, const Request& request, const CallRef& call);
  void get_topology(const CallRef& call);
  void tell_topology(broker::Client& gateway, int status, const base::DeviceKey& child);
  std::string next_id() { return std::to_string(++messages_); }

  // registration_requests.cc
  void register_children(const Request& request, const CallRef& call);
  void register_by_proxy(Request& request, const CallRef& call);
  void on_proxy_registered(const std::shared_ptr<ProxyRegistration>& all, base::DeviceKey device, std::string secret);
  void finish_one(const std::shared_ptr<ProxyRegistration>& all);

  const Parts parts_;
  ServiceLimits limits_;
  const ChildrenParts children_parts_;
  ChildHost host_;
  broker::RefusedInSecond refused_;  // children, for the log
  std::uint64_t links_ = 0;
  std::uint64_t messages_ = 0;
};

}  // namespace mooring::things
