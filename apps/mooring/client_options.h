// The options that `mooring sub` and `mooring pub` share: where to connect to and as whom.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "mqtt_client.h"

namespace CLI {
class App;
}

namespace mooring::app {

struct ClientOptions {
  std::string url;
  std::string data;
  std::string product_key;
  std::string device_name;
  std::string device_secret;
  std::string method = "hmacsha256";
  std::string username;
  std::string password;
  bool password_stdin = false;
  std::string client_id;
  std::string ca_file;
  bool insecure = false;
  std::uint16_t keep_alive_s = 60;
  bool keep_session = false;
  bool quiet = false;
};

// `options` must outlive the parse.
void add_client_options(CLI::App& command, ClientOptions& options);

// kInvalidArgument (wrong usage) when the options do not fit together. Signs in as the device, the account or nobody.
base::Result<ClientSettings> client_settings(const ClientOptions& options);

// "wss://localhost:443/" or the data folder: for messages.
std::string describe_target(const ClientOptions& options);

// 2 for wrong usage, else 1; prints the message as one line on stderr.
int report_failure(const base::Error& error);

}  // namespace mooring::app
