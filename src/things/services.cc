#include "things/services.h"

#include "base/assert.h"
#include "base/log.h"
#include "base/text.h"
#include "things/call.h"

namespace mooring::things {
namespace {

constexpr std::string_view kSession = "/ext/session/";
constexpr std::string_view kSystem = "/sys/";
constexpr std::uint32_t kRefusalLinesPerSecond = 10;

}  // namespace

enum class Services::Kind : broker::RequestKind {
  kLogin = 1,
  kLogout,
  kTopologyAdd,
  kTopologyDelete,
  kTopologyGet,
  kRegister,
  kUnregister,
  kProxyRegister,
};

struct Services::Row {
  Kind kind;
  std::string_view tree;
  std::string_view rest;
  std::string_view list = {};  // the member of the parameters that may hold a list
};

// Old texts have a batch on the topic of a single one: both take either (platform.md 7.3).
constexpr Services::Row Services::kRows[] = {
    {Kind::kLogin, kSession, "combine/login", "deviceList"},
    {Kind::kLogin, kSession, "combine/batch_login", "deviceList"},
    {Kind::kLogout, kSession, "combine/logout", "deviceList"},
    {Kind::kLogout, kSession, "combine/batch_logout", "deviceList"},
    {Kind::kTopologyAdd, kSystem, "thing/topo/add"},
    {Kind::kTopologyDelete, kSystem, "thing/topo/delete"},
    {Kind::kTopologyGet, kSystem, "thing/topo/get"},
    {Kind::kRegister, kSystem, "thing/sub/register"},
    {Kind::kUnregister, kSystem, "thing/sub/unregister"},
    {Kind::kProxyRegister, kSystem, "thing/proxy/provisioning/product_register", "proxieds"},
};

Services::Services(const Parts& parts)
    : parts_(parts),
      children_parts_{parts.broker, parts.sign_in, parts.loop, parts.clock, parts.log, parts.hosts, limits_},
      host_({parts.broker, parts.sign_in, parts.rules, parts.loop, parts.clock}) {}

// The number of its row, from 1 on.
broker::RequestKind Services::kind_of(std::string_view topic) const {
  broker::RequestKind number = 0;
  for (const Row& row : kRows) {
    ++number;
    if (behind_names(topic, row.tree) == row.rest) return number;
  }
  return broker::kNoRequest;
}

Children* Services::known_children_of(const broker::Client& client) {
  return static_cast<Children*>(client.dependents.get());  // nobody else sets any
}

Children& Services::children_of(broker::Client& client) {
  if (client.dependents == nullptr) {
    const std::uint64_t link = (std::uint64_t{parts_.loop_id} << 48) | ++links_;
    parts_.broker.set_dependents(client, std::make_unique<Children>(children_parts_, client, link));
  }
  return *known_children_of(client);
}

Services::CallRef Services::make_call(broker::Client& client, std::string_view topic, const Request* request) const {
  auto call = std::make_shared<Call>();
  call->client = parts_.broker.client_of(client.device());
  call->gateway = client.device().copy();
  call->address = client.peer_address();
  call->channel = journal::mqtt_channel(client.info.tls, client.info.websocket);
  call->topic = topic;
  if (request == nullptr) return call;
  call->id = request->id;
  call->wants_answer = request->wants_answer;
  return call;
}

void Services::on_request(broker::Client& client, broker::RequestKind kind, const mqtt::Publish& packet) {
  MOORING_ASSERT(kind > 0 && kind <= std::size(kRows));
  const Row& row = kRows[kind - 1];
  auto request = read_request(packet.payload, row.list);
  const CallRef call = make_call(client, packet.topic, request ? &*request : nullptr);
  if (!request) return answer(*call, 460);
  Children& children = children_of(client);
  const bool of_session = row.tree == kSession;
  const auto& under_way = of_session ? children.logins_under_way : children.requests_under_way;
  if (*under_way >= (of_session ? kLoginsAtOnceMax : kRequestsAtOnceMax)) return answer(*call, 429);
  call->under_way = under_way;
  ++*call->under_way;
  switch (row.kind) {
    case Kind::kLogin:
      // A gateway behind a gateway: its children would hang on a connection that is itself none.
      return client.info.gateway == nullptr ? log_in(children, *request, call) : answer(*call, 460);
    case Kind::kLogout:
      return log_out(children, *request, call);
    case Kind::kTopologyAdd:
      if (takes_topology_change(children, call, request->items.size())) add_to_topology(*request, call);
      return;
    case Kind::kTopologyDelete:
    case Kind::kUnregister:
      if (takes_topology_change(children, call, request->items.size())) remove_from_topology(children, *request, call);
      return;
    case Kind::kTopologyGet:
      if (takes_topology_change(children, call, 1)) get_topology(call);
      return;
    case Kind::kRegister:
      if (may_tell_secrets(client, call) && takes_topology_change(children, call, request->items.size()))
        register_children(*request, call);
      return;
    case Kind::kProxyRegister:
      if (may_tell_secrets(client, call) && takes_topology_change(children, call, request->items.size()))
        register_by_proxy(*request, call);
      return;
  }
}

// As with every other registration (connection.md 10).
bool Services::may_tell_secrets(const broker::Client& client, const CallRef& call) {
  if (client.info.tls || !parts_.sign_in.policy().registration_needs_tls) return true;
  answer(*call, 400);
  return false;
}

bool Services::takes_topology_change(Children& children, const CallRef& call, std::size_t items) {
  if (items == 0 || items > kTopologyItemsMax) {
    answer(*call, 460);
    return false;
  }
  if (children.topology_rate.take(kTopologyRequestsPerS, parts_.clock.mono_ms())) return true;
  answer(*call, 429);
  return false;
}

// It may not be subscribed, nor routed: it is for the one who asked.
void Services::answer(const Call& call, int code, std::string_view data) {
  const std::shared_ptr<broker::Client> client = call.client.lock();
  if (client == nullptr || !client->connected() || !call.wants_answer) return;
  const std::string method = method_of(call.topic);
  const std::string_view message = code == 200 ? "success" : auth::child_refusal(code).text;
  parts_.broker.push(*client, call.topic + "_reply", to_json(Answer{code, call.id, message, method, data}));
}

bool Services::turned_away(const Call& call, const base::DeviceKey& child) {
  return parts_.sign_in.turned_away(call.address, auth::user_name_of(child)) || parts_.sign_in.device_over_limit(child);
}

void Services::refuse(const Call& call, int code, const base::DeviceKey& child) {
  answer(call, code);
  if (child.device_name.empty()) return;
  const auth::ChildRefusal refusal = auth::child_refusal(code);
  if (refused_.count(parts_.clock.mono_ms()) <= kRefusalLinesPerSecond) {
    base::log_info("things", "{}/{}: {} for its child {}/{}: {} ({})", call.gateway.product_key,
                   call.gateway.device_name, base::printable(call.topic, 160), base::printable(child.product_key, 64),
                   base::printable(child.device_name, 64), refusal.text, code);
  }
  const bool guessed = code == 6287 || code == 401 || code == 6100;
  if (guessed) parts_.sign_in.count_refused(call.address, auth::user_name_of(child));
  record(call, journal::Action::kRefused, code, refusal.name, refusal.text, child, false);
}

void Services::record(const Call& call, journal::Action action, int code, std::string_view name, std::string_view text,
                      const base::DeviceKey& child, bool known) {
  journal::Event event;
  event.device = child;
  event.action = action;
  event.code = static_cast<std::uint16_t>(code);
  event.name = name;
  event.reason = text;
  event.subject = "through " + call.gateway.product_key + "/" + call.gateway.device_name;
  event.channel = call.channel;
  event.address = call.address;
  event.known = known;
  parts_.log.record(std::move(event));
}

// A gateway that speaks for a child which is not signed in: after each connect they have to be (platform.md 7.5).
void Services::on_foreign_topic(broker::Client& client, const base::DeviceKeyView& owner) {
  if (client.info.gateway != nullptr) return;
  base::DeviceKey child{std::string(owner.product_key), std::string(owner.device_name)};
  base::DeviceKey asked = child;
  parts_.sign_in.find(std::move(asked),
                      [this, weak = std::weak_ptr(parts_.broker.client_of(client.device())),
                       child = std::move(child)](base::Result<const gateway::CachedCredential*> found) {
                        const std::shared_ptr<broker::Client> gateway = weak.lock();
                        if (gateway == nullptr || !gateway->connected() || !found || !(*found)->exists) return;
                        if (!(*found)->is_child_of(gateway->device())) return;
                        children_of(*gateway).push_error(520, child);
                      });
}

}  // namespace mooring::things
