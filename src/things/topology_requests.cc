// A gateway's topology: platform.md 7.2 and 7.6.
#include <set>

#include "base/log.h"
#include "things/call.h"

namespace mooring::things {
namespace {

constexpr std::size_t kListedMax = 2'000;  // of thing/topo/get: as many as a gateway can have

// platform.md 7.2, status of thing/topo/change.
constexpr int kRemoved = 1;
constexpr int kEnabled = 2;
constexpr int kDisabled = 8;

}  // namespace

int topology_code_of(const base::Error& error) {
  switch (error.code) {
    case base::Errc::kNotFound:
      return 6100;
    case base::Errc::kLimitExceeded:
      return 6400;
    case base::Errc::kInvalidArgument:
      return 6402;
    default:
      base::log_error("things", "the topology was not changed: {}", error.message);
      return 500;
  }
}

struct Services::TopologyAdd {
  CallRef call;
  std::vector<auth::ChildSignIn> children;
  std::size_t left = 0;  // proofs that are not checked yet
  int code = 200;        // of the first that did not hold
  base::DeviceKey refused;
};

void Services::add_to_topology(const Request& request, const CallRef& call) {
  auto add = std::make_shared<TopologyAdd>();
  add->call = call;
  std::set<base::DeviceKey> once;
  for (const auth::HttpFields& fields : request.items) {
    auto child = auth::begin_child_sign_in(fields);
    if (!child) return refuse(*call, child.error().code, device_of(fields).value_or(base::DeviceKey{}));
    if (!once.insert(child->device).second) return answer(*call, 460);
    if (turned_away(*call, child->device)) return refuse(*call, 429, child->device);
    add->children.push_back(std::move(*child));
  }
  add->left = add->children.size();
  for (std::size_t index = 0; index < add->children.size(); ++index) {
    base::DeviceKey device = add->children[index].device;
    parts_.sign_in.find(std::move(device), [this, add, index](base::Result<const gateway::CachedCredential*> found) {
      on_proof(add, index, found);
    });
  }
}

void Services::on_proof(const std::shared_ptr<TopologyAdd>& add, std::size_t index,
                        const base::Result<const gateway::CachedCredential*>& found) {
  const auth::ChildSignIn& child = add->children[index];
  int code = 200;
  if (!found) {
    code = 500;
  } else {
    const gateway::CachedCredential& credential = **found;
    const auto refusal =
        auth::check_child(auth::ChildProof::kTopology, child, credential.exists ? &credential.record : nullptr,
                          add->call->gateway, credential.is_child_of(add->call->gateway));
    if (refusal) code = refusal->code;
  }
  if (code != 200 && add->code == 200) {
    add->code = code;
    add->refused = child.device;
  }
  if (--add->left > 0) return;
  if (add->code != 200) return refuse(*add->call, add->code, add->refused);
  std::vector<base::DeviceKey> devices;
  for (const auth::ChildSignIn& one : add->children) devices.push_back(one.device);
  parts_.registry.run<void>(
      [gateway = add->call->gateway, devices = std::move(devices), most = limits_.children_per_gateway](
          registry::Registry& registry) { return registry.add_children(gateway, devices, most); },
      parts_.loop,
      [this, call = add->call](base::Result<> added) { answer(*call, added ? 200 : topology_code_of(added.error())); });
}

void Services::remove_from_topology(Children& children, const Request& request, const CallRef& call) {
  std::vector<base::DeviceKey> devices;
  std::set<base::DeviceKey> once;
  for (const auth::HttpFields& fields : request.items) {
    auto device = device_of(fields);
    if (!device || !once.insert(*device).second) return answer(*call, 460);
    devices.push_back(std::move(*device));
  }
  // What follows for a child that is online comes back before the answer.
  children.set_leaving(devices, true);
  parts_.registry.run<void>([gateway = call->gateway, devices](
                                registry::Registry& registry) { return registry.remove_children(gateway, devices); },
                            parts_.loop,
                            [this, call, devices](base::Result<> removed) {
                              const std::shared_ptr<broker::Client> client = call->client.lock();
                              Children* const still =
                                  client != nullptr && client->connected() ? known_children_of(*client) : nullptr;
                              if (still != nullptr) {
                                if (removed) {
                                  for (const base::DeviceKey& device : devices) (void)still->log_out({device});
                                }
                                still->set_leaving(devices, false);
                              }
                              const bool is_none = !removed && removed.error().code == base::Errc::kNotFound;
                              answer(*call, removed ? 200 : is_none ? 6401 : topology_code_of(removed.error()));
                            });
}

void Services::get_topology(const CallRef& call) {
  using Devices = std::vector<base::DeviceKey>;
  parts_.registry.run_read<Devices>(
      [gateway = call->gateway](registry::Registry& registry) {
        return registry.list_children(gateway, {}, kListedMax);
      },
      parts_.loop,
      [this, call](base::Result<Devices> children) {
        if (!children) return answer(*call, 500);
        answer(*call, 200, to_json(*children));
      });
}

// ---- What administration and other gateways do ----------------------------------------------------------------------

void Services::tell_topology(broker::Client& gateway, int status, const base::DeviceKey& child) {
  const base::DeviceKey names = gateway.device().copy();
  parts_.broker.push(gateway, "/sys/" + names.product_key + "/" + names.device_name + "/thing/topo/change",
                     to_message(next_id(), "thing.topo.change", topology_change(status, child)));
}

void Services::topology_gone(const base::DeviceKey& child, const base::DeviceKey& former) {
  host_.topology_gone(child, former);
  const std::shared_ptr<broker::Client> gateway = parts_.broker.client_of(former);
  if (gateway == nullptr || !gateway->connected()) return;
  const Children* children = known_children_of(*gateway);
  if (children == nullptr || !children->is_leaving(child)) tell_topology(*gateway, kRemoved, child);
}

void Services::child_changed(const base::DeviceKey& gateway, const base::DeviceKey& child, ChildChange change) {
  const std::shared_ptr<broker::Client> client = parts_.broker.client_of(gateway);
  if (client == nullptr || !client->connected()) return;
  const std::string_view word = change == ChildChange::kEnabled    ? "enable"
                                : change == ChildChange::kDisabled ? "disable"
                                                                   : "delete";
  std::string topic = "/sys/" + child.product_key + "/" + child.device_name + "/thing/";
  parts_.broker.push(*client, topic.append(word), to_message(next_id(), "thing." + std::string(word), "{}"));
  tell_topology(*client,
                change == ChildChange::kEnabled    ? kEnabled
                : change == ChildChange::kDisabled ? kDisabled
                                                   : kRemoved,
                child);
}

}  // namespace mooring::things
