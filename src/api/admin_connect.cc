// What a device needs to connect, and a new secret for it.
#include <fmt/format.h>

#include <boost/json/array.hpp>

#include "api/admin_operations.h"
#include "api/connect_lines.h"
#include "api/platform.h"
#include "base/text.h"
#include "crypto/random.h"

namespace mooring::api {
namespace {

constexpr std::size_t kHostBytesMax = 253;
constexpr std::size_t kTopicBytesMax = 512;

base::DeviceKey key_of(const AdminRequest& request) {
  return {request.path[1], request.path[3]};
}

ApiResult<Transport> read_transport(const AdminRequest& request) {
  const std::string wanted = request.value("transport");
  for (const Transport transport : {Transport::kTcp, Transport::kTls, Transport::kWs, Transport::kWss}) {
    if (wanted == to_text(transport)) return transport;
  }
  if (wanted.empty()) return Transport::kTls;
  return refuse(400, "invalid", "the transport must be tcp, tls, ws or wss");
}

// As clients reach the server: as asked for, as configured, or the first listener's.
ApiResult<void> read_place(AdminContext& context, const AdminRequest& request, ConnectInput& input) {
  ServerFacts facts;
  if (context.live.platform != nullptr) facts = context.live.platform->server();
  input.host = request.value("host");
  if (input.host.empty()) input.host = facts.public_host.empty() ? "localhost" : facts.public_host;
  if (input.host.size() > kHostBytesMax) return refuse(400, "invalid", "'host' is too long");
  const auto port = request.number("port", 0, 65'535);
  if (!port) return tl::unexpected(port.error());
  const std::uint32_t fallback = facts.public_port != 0     ? facts.public_port
                                 : !facts.listeners.empty() ? std::uint32_t{facts.listeners.front().port}
                                                            : 443U;
  input.port = static_cast<std::uint16_t>(*port != 0 ? *port : fallback);
  return {};
}

std::string_view language_of(std::string_view title) {
  if (title.find("MQTT.js") != std::string_view::npos) return "javascript";
  if (title.find("Python") != std::string_view::npos) return "python";
  if (title.find("C SDK") != std::string_view::npos) return "c";
  return "shell";
}

}  // namespace

ApiResult<Reply> connect_device(AdminContext& context, const AdminRequest& request) {
  if (auto ok = request.allow({"transport", "host", "port", "method", "topic"}); !ok) return tl::unexpected(ok.error());
  ConnectInput input;
  input.key = key_of(request);
  const auto device = context.registry.get_device(input.key);
  if (!device) return refuse(device.error());
  if (device->device_secret.empty()) {
    return refuse(409, "no_secret", "the device has no secret: it registers itself, or signs in with a certificate");
  }
  input.device_secret = device->device_secret;
  const auto transport = read_transport(request);
  if (!transport) return tl::unexpected(transport.error());
  input.transport = *transport;
  if (const std::string method = request.value("method"); !method.empty()) input.method = method;
  if (auto ok = read_place(context, request, input); !ok) return tl::unexpected(ok.error());
  const std::string topic = request.value("topic");
  if (topic.size() > kTopicBytesMax) return refuse(400, "invalid", "'topic' is too long");
  const auto parameters = connect_parameters(input);
  if (!parameters) return refuse(parameters.error());
  const auto lines = connect_lines(input, topic);
  if (!lines) return refuse(lines.error());
  boost::json::array shown;
  for (const ConnectLine& line : *lines) {
    shown.push_back({{"title", line.title}, {"language", language_of(line.title)}, {"text", line.text}});
  }
  return Reply{boost::json::object{{"transport", to_text(*transport)},
                                   {"host", input.host},
                                   {"port", input.port},
                                   {"clientId", parameters->client_id},
                                   {"username", parameters->username},
                                   {"password", parameters->password},
                                   {"url", parameters->url},
                                   {"content", parameters->content},
                                   {"lines", std::move(shown)}}};
}

ApiResult<Reply> renew_secret(AdminContext& context, const AdminRequest& request) {
  const auto object = parse_object(request.body, {"version"});
  if (!object) return tl::unexpected(object.error());
  const auto version = read_version(*object);
  if (!version) return tl::unexpected(version.error());
  registry::DeviceChange change;
  change.device_secret = crypto::make_device_secret(crypto::system_random());
  change.seen_version = *version;
  const auto device = context.registry.update_device(key_of(request), change);
  if (!device) return refuse(device.error());
  return Reply{to_json(*device, context.device_secrets())};
}

}  // namespace mooring::api
