#include "broker/status_message.h"

#include <boost/json.hpp>

#include "base/utc_time.h"

namespace mooring::broker {
namespace {

// "2018-08-31 15:32:28.205", in UTC+8.
std::string beijing_time(base::WallMs at_ms) {
  std::string out = base::utc_time(at_ms + 8LL * 3600 * 1000);
  out[10] = ' ';
  out.pop_back();
  return out;
}

}  // namespace

std::string status_topic(const base::DeviceKeyView& device) {
  return std::string("/as/mqtt/status/").append(device.product_key).append("/").append(device.device_name);
}

std::string status_message(const Client& client, bool online, base::WallMs at_ms, base::WallMs last_ms,
                           OfflineReason reason) {
  boost::json::object message;
  message["status"] = online ? "online" : "offline";
  message["iotId"] = client.iot_id();
  if (!online) message["offlineReasonCode"] = std::to_string(static_cast<int>(reason));
  message["productKey"] = client.device().product_key;
  message["deviceName"] = client.device().device_name;
  message["time"] = beijing_time(at_ms);
  message["utcTime"] = base::utc_time(at_ms);
  message["lastTime"] = beijing_time(last_ms);
  message["utcLastTime"] = base::utc_time(last_ms);
  message["clientIp"] = client.peer_address();
  return boost::json::serialize(message);
}

}  // namespace mooring::broker
