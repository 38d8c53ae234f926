#include "api/admin_json.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <chrono>

#include "registry/names.h"

namespace mooring::api {
namespace {

boost::json::string text(std::string_view value) {
  return boost::json::string(boost::json::string_view(value.data(), value.size()));
}

}  // namespace

boost::json::value time_json(base::WallMs time_ms) {
  if (time_ms == 0) return nullptr;
  using namespace std::chrono;
  const sys_time<milliseconds> time{milliseconds(time_ms)};
  const sys_days day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss<milliseconds> clock(time - day);
  return text(fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                          static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                          clock.minutes().count(), clock.seconds().count(), clock.subseconds().count()));
}

boost::json::object to_json(const registry::Product& product, Secrets secrets) {
  boost::json::object json;
  json["productKey"] = product.product_key;
  if (secrets == Secrets::kShow) json["productSecret"] = product.product_secret;
  json["name"] = product.name;
  json["profile"] = text(registry::to_text(product.profile));
  json["dynamicRegistration"] = text(registry::to_text(product.dynamic_registration));
  boost::json::array topic_classes;
  for (const registry::TopicClass& topic_class : product.topic_classes) {
    topic_classes.push_back(text(fmt::format("{}:{}", topic_class.suffix, registry::to_text(topic_class.right))));
  }
  json["topicClasses"] = std::move(topic_classes);
  json["deviceCount"] = product.device_count;
  json["created"] = time_json(product.created_ms);
  return json;
}

boost::json::object to_json(const registry::Device& device, Secrets secrets) {
  boost::json::object json;
  json["productKey"] = device.key.product_key;
  json["deviceName"] = device.key.device_name;
  if (secrets == Secrets::kShow) json["deviceSecret"] = device.device_secret;
  json["iotId"] = device.iot_id;
  json["nickname"] = device.nickname;
  json["status"] = text(registry::to_text(device.status()));
  json["created"] = time_json(device.created_ms);
  json["activated"] = time_json(device.activated_ms);
  json["lastOnline"] = time_json(device.last_online_ms);
  json["lastOffline"] = time_json(device.last_offline_ms);
  json["lastAddress"] = device.last_address;
  json["sdk"] = boost::json::object({{"lan", device.facts.lan},
                                     {"version", device.facts.version},
                                     {"os", device.facts.os},
                                     {"module", device.facts.module}});
  return json;
}

boost::json::object to_json(const registry::Account& account) {
  boost::json::object json;
  json["name"] = account.name;
  boost::json::array permissions;
  for (const registry::AccountPermission& permission : account.permissions) {
    permissions.push_back(text(registry::to_text(permission)));
  }
  json["permissions"] = std::move(permissions);
  json["created"] = time_json(account.created_ms);
  return json;
}

}  // namespace mooring::api
