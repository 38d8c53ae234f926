#include "sign_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <memory>

#include "api/connect_lines.h"
#include "client_options.h"

namespace mooring::app {
namespace {

struct SignOptions {
  api::ConnectInput input;
  bool json = false;
};

int run_sign(const SignOptions& options) {
  const auto parameters = api::connect_parameters(options.input);
  if (!parameters) return report_failure(parameters.error());
  if (!options.json) {
    fmt::print("clientId: {}\nusername: {}\npassword: {}\n", parameters->client_id, parameters->username,
               parameters->password);
    return 0;
  }
  boost::json::object document;
  document["clientId"] = parameters->client_id;
  document["username"] = parameters->username;
  document["password"] = parameters->password;
  document["content"] = parameters->content;
  fmt::print("{}\n", boost::json::serialize(document));
  return 0;
}

}  // namespace

void add_sign_command(CLI::App& app, int& exit_status) {
  auto options = std::make_shared<SignOptions>();
  api::ConnectInput& input = options->input;
  CLI::App* command = app.add_subcommand("sign", "Compute client identifier, user name and password of a device");
  command->add_option("--product-key", input.key.product_key, "Product key")->required();
  command->add_option("--device-name", input.key.device_name, "Device name")->required();
  command->add_option("--device-secret", input.device_secret, "Device secret")->required();
  command->add_option("--client-id", input.base_client_id, "What stands before the first pipe; default PK.DN");
  command->add_option("--method", input.method, "hmacmd5, hmacsha1 or hmacsha256")->capture_default_str();
  command->add_option("--timestamp", input.timestamp, "Any decimal text; empty: none is sent")->capture_default_str();
  command->add_option("--securemode", input.securemode, "2 with TLS, 3 without; default 3");
  command->add_flag("--json", options->json, "One JSON document, with the signed text");
  command->callback([options, &exit_status] { exit_status = run_sign(*options); });
}

}  // namespace mooring::app
