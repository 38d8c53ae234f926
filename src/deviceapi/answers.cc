#include "deviceapi/answers.h"

#include <boost/json.hpp>
#include <charconv>

namespace mooring::deviceapi {
namespace {

using boost::json::object;
using boost::json::value;

boost::json::string_view view(std::string_view text) {
  return {text.data(), text.size()};
}

http::Response answer(const object& body) {
  http::Response response;
  response.body = boost::json::serialize(body);
  response.fields.push_back({"Cache-Control", "no-store"});
  return response;
}

object resources(const MqttPlace& place) {
  return {{"mqtt", object{{"host", view(place.host)}, {"port", place.port}}}};
}

// In the form that /auth and /topic answer in, and in that of the others.
http::Response success(object info) {
  return answer({{"code", 0}, {"message", "success"}, {"info", std::move(info)}});
}
http::Response success200(object data) {
  return answer({{"code", 200}, {"data", std::move(data)}, {"message", "success"}});
}

bool is_host_text(std::string_view host) {
  return !host.empty() && host.size() <= 253 &&
         host.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:") == host.npos;
}

// Host = name or address, IPv6 in brackets, then maybe a port (RFC 9110 section 7.2).
MqttPlace place_of_host(std::string_view host, std::uint16_t default_port) {
  MqttPlace place;
  place.port = default_port;
  std::string_view port;
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    if (end == host.npos) return place;
    port = host.substr(end + 1);
    host = host.substr(1, end - 1);
  } else if (const std::size_t colon = host.find(':'); colon != host.npos) {
    port = host.substr(colon);
    host = host.substr(0, colon);
  }
  if (!port.empty()) {
    port.remove_prefix(1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), place.port);
    if (error != std::errc() || end != port.data() + port.size()) return place;
  }
  if (is_host_text(host)) place.host = std::string(host);
  return place;
}

}  // namespace

MqttPlace mqtt_place(const http::Request& request, bool tls, std::string_view public_host, std::uint16_t public_port) {
  // Every port of the server takes MQTT, so the one that was asked does.
  MqttPlace place = place_of_host(request.field("Host").value_or(""), tls ? 443 : 80);
  if (!public_host.empty()) place.host = std::string(public_host);
  if (public_port != 0) place.port = public_port;
  return place;
}

http::Response refusal_answer(const auth::HttpRefusal& refusal) {
  return answer({{"code", refusal.code}, {"message", view(refusal.text)}});
}

http::Response registration_answer(const base::DeviceKey& device, std::string_view device_secret) {
  return success200({{"productKey", view(device.product_key)},
                     {"deviceName", view(device.device_name)},
                     {"deviceSecret", view(device_secret)}});
}

http::Response preauth_answer(std::string_view iot_id, std::string_view iot_token, const MqttPlace& place) {
  return success200({{"iotId", view(iot_id)}, {"iotToken", view(iot_token)}, {"resources", resources(place)}});
}

http::Response bootstrap_answer(const MqttPlace& place) {
  return success200({{"resources", resources(place)}});
}

http::Response login_answer(std::string_view token) {
  return success({{"token", view(token)}});
}

http::Response publish_answer(std::uint64_t message_id) {
  return success({{"messageId", message_id}});
}

}  // namespace mooring::deviceapi
