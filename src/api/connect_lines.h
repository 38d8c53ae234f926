// What a device must send to sign in, and lines ready to paste into well-known clients. Pure functions, any thread.
// Used by `device connect-line`, `sign`, `serve --demo` and the console. The results hold passwords: print them for the
// operator only, never log them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace mooring::api {

enum class Transport : std::uint8_t { kTcp, kTls, kWs, kWss };
std::string_view to_text(Transport transport);  // tcp, tls, ws, wss
inline bool is_secure(Transport transport) {
  return transport == Transport::kTls || transport == Transport::kWss;
}

// The constant that the vendor's C SDKs send; the server does not compare it with the clock (connection.md
// section 4.2).
inline constexpr std::string_view kSdkTimestamp = "2524608000000";

struct ConnectInput {
  base::DeviceKey key;
  std::string device_secret;
  Transport transport = Transport::kTcp;
  std::string host = "localhost";  // name, IPv4 or IPv6 address without brackets
  std::uint16_t port = 1883;
  std::string method = "hmacsha256";     // hmacmd5, hmacsha1, hmacsha256; compared without case
  std::string timestamp{kSdkTimestamp};  // empty: not sent and not signed
  std::string base_client_id;            // empty: "pk.dn", as the C SDKs do
  int securemode = 0;                    // 0: 2 with TLS, 3 without
};

struct ConnectParameters {
  std::string client_id;
  std::string username;
  std::string password;
  std::string url;      // mqtt://, mqtts://, ws:// or wss:// with host and port
  std::string content;  // the signed text, without the key: explains a mismatch
};

// connection.md section 4. kInvalidArgument: unknown method, or a name that the protocol cannot carry.
base::Result<ConnectParameters> connect_parameters(const ConnectInput& input);

// A titled line (or a few) to paste.
struct ConnectLine {
  std::string title;
  std::string text;
};

// mosquitto_sub over tcp and tls, MQTT.js, Paho Python, curl of the root certificate, and the C SDK's header values.
// `input.transport` is ignored: every line names its own. `topic` is what the lines subscribe to; empty: the device's
// user/get.
base::Result<std::vector<ConnectLine>> connect_lines(const ConnectInput& input, std::string_view topic = {});

}  // namespace mooring::api
