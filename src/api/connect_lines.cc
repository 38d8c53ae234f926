#include "api/connect_lines.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "crypto/hmac.h"

namespace mooring::api {
namespace {

using base::Errc;
using base::fail;

constexpr std::size_t kBaseClientIdCharactersMax = 64;  // connection.md section 1

bool carries(std::string_view text, std::string_view forbidden) {
  return text.find_first_of(forbidden) != std::string_view::npos;
}

base::Result<> check(const ConnectInput& input) {
  const auto& [product_key, device_name] = input.key;
  if (product_key.empty() || device_name.empty() || carries(product_key, "&|,") || carries(device_name, "&|,")) {
    return fail(Errc::kInvalidArgument, "product key and device name must be given and hold none of '&', '|' and ','");
  }
  if (input.base_client_id.find('|') != std::string::npos) {
    return fail(Errc::kInvalidArgument, "the base client id must not hold '|'");
  }
  if (!std::ranges::all_of(input.timestamp, [](char c) { return c >= '0' && c <= '9'; })) {
    return fail(Errc::kInvalidArgument, "the timestamp must be a decimal number");
  }
  return {};
}

// What the C SDKs use, unless a long device name leaves no room for the product key.
std::string base_client_id(const ConnectInput& input) {
  if (!input.base_client_id.empty()) return input.base_client_id;
  std::string both = input.key.product_key + "." + input.key.device_name;
  return both.size() <= kBaseClientIdCharactersMax ? both : input.key.device_name;
}

std::string url_of(const ConnectInput& input) {
  const bool ipv6 = input.host.find(':') != std::string::npos;
  const std::string_view scheme = input.transport == Transport::kTcp   ? "mqtt"
                                  : input.transport == Transport::kTls ? "mqtts"
                                                                       : to_text(input.transport);
  const bool websocket = input.transport == Transport::kWs || input.transport == Transport::kWss;
  return fmt::format("{}://{}{}{}:{}{}", scheme, ipv6 ? "[" : "", input.host, ipv6 ? "]" : "", input.port,
                     websocket ? "/mqtt" : "");
}

// For a POSIX shell.
std::string shell_quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

// A string literal that C, JavaScript and Python read alike.
std::string literal(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

// The beginning of a mosquitto command, up to the topic.
std::string mosquitto_words(std::string_view program, const ConnectInput& input, const ConnectParameters& parameters) {
  return fmt::format("{} -h {} -p {}{} -i {} -u {} -P {} -q 1", program, shell_quoted(input.host), input.port,
                     is_secure(input.transport) ? " --cafile ca.crt" : "", shell_quoted(parameters.client_id),
                     shell_quoted(parameters.username), shell_quoted(parameters.password));
}

std::string mosquitto_line(const ConnectInput& input, const ConnectParameters& parameters, std::string_view topic) {
  return mosquitto_words("mosquitto_sub", input, parameters) + " -v -t " + shell_quoted(topic);
}

std::string mosquitto_pub_line(const ConnectInput& input, const ConnectParameters& parameters, std::string_view topic) {
  return mosquitto_words("mosquitto_pub", input, parameters) + " -t " + shell_quoted(topic) + " -m hello";
}

std::string mqtt_js_lines(const ConnectParameters& parameters, std::string_view topic) {
  return fmt::format(
      "const client = require('mqtt').connect({}, {{\n"
      "  clientId: {},\n  username: {},\n  password: {},\n  keepalive: 60,\n"
      "}});\n"
      "client.on('connect', () => client.subscribe({}, {{ qos: 1 }}));\n"
      "client.on('message', (topic, payload) => console.log(topic, payload.toString()));",
      literal(parameters.url), literal(parameters.client_id), literal(parameters.username),
      literal(parameters.password), literal(topic));
}

std::string paho_python_lines(const ConnectInput& input, const ConnectParameters& parameters, std::string_view topic) {
  return fmt::format(
      "import paho.mqtt.subscribe as subscribe\n"
      "subscribe.callback(lambda client, data, message: print(message.topic, message.payload),\n"
      "                   {}, qos=1, hostname={}, port={}, keepalive=60,\n"
      "                   client_id={},\n"
      "                   auth={{\"username\": {}, \"password\": {}}},\n"
      "                   tls={{\"ca_certs\": \"ca.crt\"}})",
      literal(topic), literal(input.host), input.port, literal(parameters.client_id), literal(parameters.username),
      literal(parameters.password));
}

std::string c_sdk_lines(const ConnectInput& input) {
  return fmt::format(
      "char *product_key   = {};\nchar *device_name   = {};\nchar *device_secret = {};\n"
      "char *mqtt_host     = {};\nuint16_t port       = {};",
      literal(input.key.product_key), literal(input.key.device_name), literal(input.device_secret), literal(input.host),
      input.port);
}

}  // namespace

std::string_view to_text(Transport transport) {
  switch (transport) {
    case Transport::kTcp:
      return "tcp";
    case Transport::kTls:
      return "tls";
    case Transport::kWs:
      return "ws";
    case Transport::kWss:
      return "wss";
  }
  return "unknown";
}

base::Result<ConnectParameters> connect_parameters(const ConnectInput& input) {
  if (auto ok = check(input); !ok) return tl::unexpected(ok.error());
  const auto method = crypto::parse_hmac_method(input.method);
  if (!method) {
    return fail(Errc::kInvalidArgument, fmt::format("unknown signature method '{}': hmacmd5, hmacsha1 or hmacsha256",
                                                    base::printable(input.method, 40)));
  }
  const std::string base = base_client_id(input);
  const int securemode = input.securemode != 0 ? input.securemode : is_secure(input.transport) ? 2 : 3;
  const std::string timestamp_parameter = input.timestamp.empty() ? "" : ",timestamp=" + input.timestamp;

  ConnectParameters parameters;
  parameters.client_id =
      fmt::format("{}|securemode={},signmethod={}{}|", base, securemode, crypto::name(*method), timestamp_parameter);
  parameters.username = fmt::format("{}&{}", input.key.device_name, input.key.product_key);
  parameters.content = fmt::format("clientId{}deviceName{}productKey{}{}{}", base, input.key.device_name,
                                   input.key.product_key, input.timestamp.empty() ? "" : "timestamp", input.timestamp);
  parameters.password = base::to_hex(crypto::hmac(*method, input.device_secret, {parameters.content}).view());
  parameters.url = url_of(input);
  return parameters;
}

base::Result<std::vector<ConnectLine>> connect_lines(const ConnectInput& given, std::string_view wanted_topic) {
  ConnectInput input = given;
  const std::string topic = wanted_topic.empty()
                                ? fmt::format("/{}/{}/user/get", input.key.product_key, input.key.device_name)
                                : std::string(wanted_topic);
  input.transport = Transport::kTcp;
  const auto tcp = connect_parameters(input);
  if (!tcp) return tl::unexpected(tcp.error());
  const std::string mosquitto_tcp = mosquitto_line(input, *tcp, topic);
  input.transport = Transport::kTls;
  const auto tls = connect_parameters(input);
  if (!tls) return tl::unexpected(tls.error());
  const std::string mosquitto_tls = mosquitto_line(input, *tls, topic);
  const std::string mosquitto_pub = mosquitto_pub_line(
      input, *tls,
      wanted_topic.empty() ? fmt::format("/{}/{}/user/update", input.key.product_key, input.key.device_name) : topic);
  const std::string paho = paho_python_lines(input, *tls, topic);
  input.transport = Transport::kWs;
  const auto ws = connect_parameters(input);
  if (!ws) return tl::unexpected(ws.error());

  const std::string http_url = "http" + ws->url.substr(2, ws->url.rfind('/') - 2);
  return std::vector<ConnectLine>{
      {"root certificate (once, for tls and wss)",
       fmt::format("curl -fsS {} -o ca.crt", shell_quoted(http_url + "/ca.crt"))},
      {"mosquitto_sub over tcp", mosquitto_tcp},
      {"mosquitto_sub over tls", mosquitto_tls},
      {"mosquitto_pub over tls", mosquitto_pub},
      {"MQTT.js over ws", mqtt_js_lines(*ws, topic)},
      {"Paho Python over tls", paho},
      {"C SDK, demo header values", c_sdk_lines(input)},
  };
}

}  // namespace mooring::api
