// The answers of the devices' HTTP interface: compact JSON, because firmware searches it literally, with HTTP status
// 200 whatever the code says. I/O-free, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "auth/device_http.h"
#include "base/ids.h"
#include "http/message.h"

namespace mooring::deviceapi {

// Where a device is to connect.
struct MqttPlace {
  std::string host;
  std::uint16_t port = 0;
};
// `public_host` and `public_port` if they are set, else what the request's Host says. An empty host: nobody knows.
MqttPlace mqtt_place(const http::Request& request, bool tls, std::string_view public_host, std::uint16_t public_port);

http::Response refusal_answer(const auth::HttpRefusal& refusal);
// Below 256 bytes for every device secret that the server issues.
http::Response registration_answer(const base::DeviceKey& device, std::string_view device_secret);
http::Response preauth_answer(std::string_view iot_id, std::string_view iot_token, const MqttPlace& place);
http::Response bootstrap_answer(const MqttPlace& place);
http::Response login_answer(std::string_view token);
http::Response publish_answer(std::uint64_t message_id);

}  // namespace mooring::deviceapi
