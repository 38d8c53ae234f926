// Children's logins and logouts: platform.md 7.3.
#include <algorithm>
#include <set>

#include "things/call.h"

namespace mooring::things {

namespace {

std::string data_of(const std::vector<base::DeviceKey>& devices, bool is_list) {
  return is_list ? to_json(devices) : to_json(devices.front());
}

}  // namespace

void Services::log_in(Children& children, const Request& request, const CallRef& call) {
  if (request.items.empty() || request.items.size() > kBatchMax) return answer(*call, 460);
  std::vector<auth::ChildSignIn> wanted;
  std::vector<base::DeviceKey> devices;
  std::set<base::DeviceKey> once;
  for (const auth::HttpFields& fields : request.items) {
    auto child = auth::begin_child_sign_in(fields);
    if (!child) return refuse(*call, child.error().code, device_of(fields).value_or(base::DeviceKey{}));
    if (!once.insert(child->device).second) return answer(*call, 460);
    devices.push_back(child->device);
    wanted.push_back(std::move(*child));
  }
  for (const base::DeviceKey& device : devices) {
    const bool in_time = children.login_rate.take(limits_.child_logins_per_s, parts_.clock.mono_ms());
    if (!in_time || turned_away(*call, device)) return refuse(*call, 429, device);
  }
  std::string data = data_of(devices, request.is_list);
  children.log_in(std::move(wanted), [this, call, data = std::move(data), devices = std::move(devices)](
                                         int code, const base::DeviceKey& refused) {
    if (code != 200) return refuse(*call, code, refused);
    for (const base::DeviceKey& device : devices) {
      parts_.sign_in.remember_accepted(call->address, auth::user_name_of(device));
    }
    answer(*call, 200, data);
  });
}

void Services::log_out(Children& children, const Request& request, const CallRef& call) {
  if (request.items.empty() || request.items.size() > kBatchMax) return answer(*call, 460);
  std::vector<base::DeviceKey> devices;
  for (const auth::HttpFields& fields : request.items) {
    auto device = device_of(fields);
    if (!device) return answer(*call, 460);
    devices.push_back(std::move(*device));
  }
  if (children.log_out(devices)) return answer(*call, 520);
  answer(*call, 200, data_of(devices, request.is_list));
}

}  // namespace mooring::things
