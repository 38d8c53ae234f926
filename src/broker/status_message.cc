#include "broker/status_message.h"

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

void put_digits(char* out, int count, std::int64_t value) {
  for (int i = count - 1; i >= 0; --i, value /= 10) out[i] = static_cast<char>('0' + value % 10);
}

// "2026-01-31T23:59:59.123Z": years of four digits. Each device that comes or goes needs four of them.
std::string format_time(base::WallMs at_ms, char between, std::string_view end) {
  const std::tm t = broken_down(at_ms);
  std::string out = "0000-00-00 00:00:00.000";
  put_digits(out.data(), 4, t.tm_year + 1900);
  put_digits(out.data() + 5, 2, t.tm_mon + 1);
  put_digits(out.data() + 8, 2, t.tm_mday);
  out[10] = between;
  put_digits(out.data() + 11, 2, t.tm_hour);
  put_digits(out.data() + 14, 2, t.tm_min);
  put_digits(out.data() + 17, 2, t.tm_sec);
  put_digits(out.data() + 20, 3, at_ms % 1000);
  return out.append(end);
}

}  // namespace

std::string beijing_time(base::WallMs at_ms) {
  return format_time(at_ms + 8LL * 3600 * 1000, ' ', "");
}
std::string utc_time(base::WallMs at_ms) {
  return format_time(at_ms, 'T', "Z");
}

std::string status_topic(const base::DeviceKey& device) {
  return "/as/mqtt/status/" + device.product_key + '/' + device.device_name;
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
