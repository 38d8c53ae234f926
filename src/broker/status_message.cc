#include "broker/status_message.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <ctime>

namespace mooring::broker {
namespace {

std::tm broken_down(base::WallMs at_ms) {
  const std::time_t seconds = static_cast<std::time_t>(at_ms / 1000);
  std::tm out{};
  ::gmtime_r(&seconds, &out);
  return out;
}

std::string format_time(base::WallMs at_ms, char between, const char* end) {
  const std::tm t = broken_down(at_ms);
  return fmt::format("{:04}-{:02}-{:02}{}{:02}:{:02}:{:02}.{:03}{}", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, between,
                     t.tm_hour, t.tm_min, t.tm_sec, at_ms % 1000, end);
}

}  // namespace

std::string beijing_time(base::WallMs at_ms) {
  return format_time(at_ms + 8LL * 3600 * 1000, ' ', "");
}
std::string utc_time(base::WallMs at_ms) {
  return format_time(at_ms, 'T', "Z");
}

std::string status_topic(const base::DeviceKey& device) {
  return fmt::format("/as/mqtt/status/{}/{}", device.product_key, device.device_name);
}

std::string status_message(const Client& client, bool online, base::WallMs at_ms, base::WallMs last_ms,
                           OfflineReason reason) {
  boost::json::object message;
  message["status"] = online ? "online" : "offline";
  message["iotId"] = client.info.iot_id;
  if (!online) message["offlineReasonCode"] = std::to_string(static_cast<int>(reason));
  message["productKey"] = client.info.device.product_key;
  message["deviceName"] = client.info.device.device_name;
  message["time"] = beijing_time(at_ms);
  message["utcTime"] = utc_time(at_ms);
  message["lastTime"] = beijing_time(last_ms);
  message["utcLastTime"] = utc_time(last_ms);
  message["clientIp"] = client.info.peer_address;
  return boost::json::serialize(message);
}

}  // namespace mooring::broker
