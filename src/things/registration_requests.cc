// Children whose secrets their gateway asks for: platform.md 7.1.
#include <set>

#include "base/log.h"
#include "things/call.h"

namespace mooring::things {
namespace {

int code_of(registry::RegistrationOutcome outcome) {
  using Outcome = registry::RegistrationOutcome;
  switch (outcome) {
    case Outcome::kIssued:
      return 200;
    case Outcome::kNoSuchProduct:
      return 5005;
    case Outcome::kNoSuchDevice:
      return 6100;
    case Outcome::kActivated:
      return 6289;
    case Outcome::kDisabled:
      return 6204;
    case Outcome::kOtherGateway:
      return 6619;
    default:
      return 6288;
  }
}

std::string with_secret(const base::DeviceKey& device, std::string_view iot_id, std::string_view secret) {
  return "{\"iotId\":" + quoted(iot_id) + ",\"productKey\":" + quoted(device.product_key) +
         ",\"deviceName\":" + quoted(device.device_name) + ",\"deviceSecret\":" + quoted(secret) + "}";
}

std::string failure(const auth::HttpFields& fields, int code, std::string_view text) {
  const base::DeviceKey device = device_of(fields).value_or(base::DeviceKey{});
  return "{\"productKey\":" + quoted(device.product_key) + ",\"deviceName\":" + quoted(device.device_name) +
         ",\"code\":" + std::to_string(code) + ",\"message\":" + quoted(text) + "}";
}

void append(std::string& list, const std::string& element) {
  if (!list.empty()) list += ',';
  list += element;
}

}  // namespace

void Services::register_children(const Request& request, const CallRef& call) {
  std::vector<base::DeviceKey> devices;
  std::set<base::DeviceKey> once;
  for (const auth::HttpFields& fields : request.items) {
    auto device = device_of(fields);
    if (!device || !once.insert(*device).second) return answer(*call, 460);
    if (turned_away(*call, *device)) return refuse(*call, 429, *device);
    devices.push_back(std::move(*device));
  }
  using Done = registry::ChildrenRegistration;
  parts_.registry.run<Done>(
      [gateway = call->gateway, devices = std::move(devices), most = limits_.children_per_gateway](
          registry::Registry& registry) { return registry.register_children(gateway, devices, most); },
      parts_.loop,
      [this, call](base::Result<Done> done) {
        if (!done) return answer(*call, topology_code_of(done.error()));
        if (done->outcome != registry::RegistrationOutcome::kIssued) {
          return refuse(*call, code_of(done->outcome), done->refused);
        }
        std::string list;
        for (const registry::ChildRegistration& child : done->children) {
          append(list, with_secret(child.key, child.iot_id, child.device_secret));
          record(*call, journal::Action::kRegistered, 200, "secret-issued", "registered by its gateway", child.key,
                 true);
        }
        answer(*call, 200, "[" + list + "]");
      });
}

struct Services::ProxyRegistration {
  CallRef call;
  std::size_t left = 0;
  std::string successes;
  std::string failures;
};

// Each for itself: it is the product's secret that proves it, not the gateway.
void Services::register_by_proxy(Request& request, const CallRef& call) {
  auto all = std::make_shared<ProxyRegistration>();
  all->call = call;
  all->left = request.items.size();
  std::set<base::DeviceKey> once;
  for (auth::HttpFields& fields : request.items) {
    // Both spellings are in use (platform.md 2.3).
    if (const auto other = fields.extract("signmethod")) fields.try_emplace("signMethod", other.mapped());
    if (const auto device = device_of(fields); device && !once.insert(*device).second) {
      append(all->failures, failure(fields, 460, auth::child_refusal(460).text));
      finish_one(all);
      continue;
    }
    auto wanted = auth::begin_http_registration(fields);
    if (!wanted || turned_away(*call, wanted->device)) {
      const auth::HttpRefusal refusal =
          wanted ? auth::throttled(auth::HttpService::kRegister) : std::move(wanted.error());
      append(all->failures, failure(fields, refusal.code, refusal.text));
      finish_one(all);
      continue;
    }
    parts_.sign_in.registration().run(
        std::move(*wanted), call->address,
        [this, all, fields](tl::expected<gateway::DeviceRegistration::Issued, auth::Refusal> issued) {
          if (issued) {
            on_proxy_registered(all, std::move(issued->device), std::move(issued->registration.device_secret));
            return;
          }
          const auth::HttpRefusal refusal = auth::registration_refusal(issued.error());
          append(all->failures, failure(fields, refusal.code, refusal.text));
          record(*all->call, journal::Action::kRegistrationRefused, refusal.code, refusal.name, refusal.text,
                 device_of(fields).value_or(base::DeviceKey{}), false);
          finish_one(all);
        });
  }
}

void Services::on_proxy_registered(const std::shared_ptr<ProxyRegistration>& all, base::DeviceKey device,
                                   std::string secret) {
  record(*all->call, journal::Action::kRegistered, 200, "secret-issued", "registered by its gateway", device, true);
  base::DeviceKey asked = device;
  parts_.sign_in.find(std::move(asked), [this, all, device = std::move(device), secret = std::move(secret)](
                                            base::Result<const gateway::CachedCredential*> found) {
    const bool known = found && (*found)->exists;
    append(all->successes, with_secret(device, known ? std::string_view((*found)->record.iot_id) : "", secret));
    finish_one(all);
  });
}

void Services::finish_one(const std::shared_ptr<ProxyRegistration>& all) {
  if (--all->left > 0) return;
  answer(*all->call, 200, "{\"successes\":[" + all->successes + "],\"failures\":[" + all->failures + "]}");
}

}  // namespace mooring::things
