#include "client_options.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>

#include "admin_client.h"
#include "api/connect_lines.h"
#include "crypto/random.h"
#include "password_input.h"

namespace mooring::app {
namespace {

using base::Errc;
using base::Result;

api::Transport transport_of(const ClientUrl& url) {
  if (url.websocket) return url.tls ? api::Transport::kWss : api::Transport::kWs;
  return url.tls ? api::Transport::kTls : api::Transport::kTcp;
}

tl::unexpected<base::Error> usage(std::string message) {
  return base::fail(Errc::kInvalidArgument, std::move(message));
}

bool names_device(const ClientOptions& o) {
  return !o.product_key.empty() || !o.device_name.empty() || !o.device_secret.empty();
}

Result<> check_combination(const ClientOptions& o) {
  if (o.url.empty() == o.data.empty()) {
    return usage("name either a server with --url or a data folder of this machine with --data");
  }
  const bool account = !o.username.empty() || !o.password.empty() || o.password_stdin;
  if (!o.data.empty() && (names_device(o) || account)) {
    return usage("--data speaks as the local operator, without a sign-in; as a device or an account use --url");
  }
  if (names_device(o) && account) return usage("sign in either as a device or as an account");
  if (names_device(o) && (o.product_key.empty() || o.device_name.empty() || o.device_secret.empty())) {
    return usage("a device signs in with all of --product-key, --device-name and --device-secret");
  }
  if (account && o.username.empty()) return usage("a password needs the --username of an account");
  if (o.password_stdin && !o.password.empty()) return usage("either --password or --password-stdin");
  return {};
}

Result<> sign_as_device(const ClientOptions& o, ClientSettings& settings) {
  api::ConnectInput input;
  input.key = {o.product_key, o.device_name};
  input.device_secret = o.device_secret;
  input.transport = transport_of(*settings.url);
  input.host = settings.url->host;
  input.port = settings.url->port;
  input.method = o.method;
  input.base_client_id = o.client_id;
  auto parameters = api::connect_parameters(input);
  if (!parameters) return tl::unexpected(parameters.error());
  settings.client_id = std::move(parameters->client_id);
  settings.username = std::move(parameters->username);
  settings.password = std::move(parameters->password);
  return {};
}

}  // namespace

void add_client_options(CLI::App& command, ClientOptions& options) {
  const auto device = "As a device";
  const auto account = "As an account";
  command.add_option("--url", options.url, "Server: mqtt, mqtts, ws or wss://HOST[:PORT][/PATH]");
  command.add_option("--data", options.data, "Data folder of a server on this machine: local operator, any topic");
  command.add_option("--product-key", options.product_key, "Product key")->group(device);
  command.add_option("--device-name", options.device_name, "Device name")->group(device);
  command.add_option("--device-secret", options.device_secret, "Device secret; signs the connection")->group(device);
  command.add_option("--method", options.method, "hmacmd5, hmacsha1 or hmacsha256")
      ->group(device)
      ->capture_default_str();
  command.add_option("--username,--user,--account", options.username, "Account name, sent as it is")->group(account);
  command.add_option("--password", options.password, "Password, sent as it is")->group(account);
  command.add_flag("--password-stdin", options.password_stdin, "The password is the first line of stdin")
      ->group(account);
  command.add_option("--client-id", options.client_id,
                     "Client identifier; for a device the part before the first pipe");
  command.add_option("--cafile", options.ca_file, "PEM file with the root certificate to trust");
  command.add_flag("--insecure", options.insecure, "Do not check the server's certificate");
  command.add_option("-k,--keep-alive", options.keep_alive_s, "Keep alive in seconds")->capture_default_str();
  command.add_flag("--quiet", options.quiet, "Nothing on stderr but failures");
}

Result<ClientSettings> client_settings(const ClientOptions& options) {
  if (const auto checked = check_combination(options); !checked) return tl::unexpected(checked.error());
  ClientSettings settings;
  settings.ca_file = options.ca_file;
  settings.insecure = options.insecure;
  settings.keep_alive_s = options.keep_alive_s;
  settings.clean_session = !options.keep_session;
  settings.client_id = options.client_id;
  if (!options.data.empty()) {
    settings.unix_socket = (std::filesystem::path(options.data) / kSocketFile).string();
  } else {
    auto url = parse_client_url(options.url);
    if (!url) return tl::unexpected(url.error());
    settings.url = std::move(*url);
  }
  if (names_device(options)) {
    if (const auto done = sign_as_device(options, settings); !done) return tl::unexpected(done.error());
    return settings;
  }
  if (!options.username.empty()) {
    settings.username = options.username;
    settings.password = options.password;
    if (options.password_stdin) {
      auto password = read_password();
      if (!password) return tl::unexpected(password.error());
      settings.password = std::move(*password);
    }
  }
  if (settings.client_id.empty()) {
    settings.client_id = "mooring-" + crypto::random_alphanumeric(crypto::system_random(), 10);
  }
  return settings;
}

std::string describe_target(const ClientOptions& options) {
  return options.url.empty() ? options.data : options.url;
}

int report_failure(const base::Error& error) {
  fmt::print(stderr, "mooring: {}\n", error.message);
  return error.code == Errc::kInvalidArgument ? 2 : 1;
}

}  // namespace mooring::app
