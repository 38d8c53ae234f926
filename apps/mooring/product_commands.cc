#include "product_commands.h"

#include <boost/json/array.hpp>
#include <memory>

#include "base/percent.h"
#include "registry/names.h"
#include "registry_command.h"

namespace mooring::app {
namespace {

using base::Result;

struct ProductOptions : CommonOptions {
  std::string product_key;
  std::string product_secret;
  std::string name;
  std::string profile;
  std::string dynamic_registration;
  std::string auth_type;
  std::string first_use;
  std::vector<std::string> topic_classes;
  std::vector<std::string> removed_topic_classes;
  std::string prefix;
  bool secrets = false;
  bool with_devices = false;
};

// What an option leaves out is not sent, so that the server generates or keeps it.
boost::json::object given(const ProductOptions& options) {
  boost::json::object body;
  if (!options.product_secret.empty()) body["productSecret"] = options.product_secret;
  if (!options.name.empty()) body["name"] = options.name;
  if (!options.profile.empty()) body["profile"] = options.profile;
  if (!options.dynamic_registration.empty()) body["dynamicRegistration"] = options.dynamic_registration;
  if (!options.auth_type.empty()) body["authType"] = options.auth_type;
  if (!options.first_use.empty()) body["firstUse"] = options.first_use;
  return body;
}

Result<> create(const ProductOptions& options, AdminClient& client) {
  boost::json::object body = given(options);
  if (!options.product_key.empty()) body["productKey"] = options.product_key;
  if (!options.topic_classes.empty()) {
    body["topicClasses"] = boost::json::array(options.topic_classes.begin(), options.topic_classes.end());
  }
  return print_answer(options, call(client, "POST", "products", body));
}

Result<> list(const ProductOptions& options, AdminClient& client) {
  std::vector<std::string> columns{"productKey", "name", "profile", "dynamicRegistration", "deviceCount", "created"};
  if (options.secrets) columns.insert(columns.begin() + 1, "productSecret");
  const std::string target =
      "products?limit=1000&prefix=" + base::percent_encoded(options.prefix) + (options.secrets ? "&secrets=true" : "");
  return print_list(client, target, options.json, std::move(columns));
}

Result<> show(const ProductOptions& options, AdminClient& client) {
  return print_answer(options, call(client, "GET", product_path(options.product_key)));
}

std::string_view suffix_of(std::string_view topic_class) {
  return topic_class.substr(0, topic_class.rfind(':'));
}

// The classes there are, with the given ones added or changed and the removed ones left out.
Result<boost::json::array> merged_topic_classes(const ProductOptions& options, AdminClient& client) {
  const auto product = call(client, "GET", product_path(options.product_key));
  if (!product) return tl::unexpected(product.error());
  std::vector<std::string> classes;
  for (const boost::json::value& item : product->at("topicClasses").as_array()) {
    classes.emplace_back(item.as_string().c_str());
  }
  const auto drop = [&](std::string_view suffix) {
    return std::erase_if(classes, [&](const std::string& known) { return suffix_of(known) == suffix; });
  };
  for (const std::string& removed : options.removed_topic_classes) {
    if (drop(removed) == 0) {
      return base::fail(base::Errc::kNotFound,
                        "product '" + options.product_key + "' has no topic class '" + removed + "'");
    }
  }
  for (const std::string& added : options.topic_classes) {
    drop(suffix_of(added));
    classes.push_back(added);
  }
  return boost::json::array(classes.begin(), classes.end());
}

Result<> update(const ProductOptions& options, AdminClient& client) {
  boost::json::object body = given(options);
  if (!options.topic_classes.empty() || !options.removed_topic_classes.empty()) {
    auto classes = merged_topic_classes(options, client);
    if (!classes) return tl::unexpected(classes.error());
    body["topicClasses"] = std::move(*classes);
  }
  if (body.empty()) return base::fail(base::Errc::kInvalidArgument, "say what to change: see product update --help");
  return print_answer(options, call(client, "PATCH", product_path(options.product_key), body));
}

Result<> remove(const ProductOptions& options, AdminClient& client) {
  const std::string query = options.with_devices ? "?withDevices=true" : "";
  auto done = call(client, "DELETE", product_path(options.product_key) + query);
  if (!done && !options.with_devices && done.error().message.find("still has") != std::string::npos) {
    done.error().message += "; delete them first, or pass --with-devices";
  }
  return print_answer(options, done);
}

void add_topic_class_option(CLI::App& command, ProductOptions& options, const char* help) {
  command.add_option("--topic-class", options.topic_classes, help)
      ->type_name("SUFFIX:RIGHT")
      ->check([](const std::string& text) {
        const auto parsed = registry::parse_topic_class(text);
        return parsed ? std::string() : parsed.error().message;
      });
}

void add_shape_options(CLI::App& command, ProductOptions& options) {
  command.add_option("--product-secret", options.product_secret, "Product secret");
  command.add_option("--name", options.name, "Name for people");
  command.add_option("--profile", options.profile, "Whose rules the devices live by: aliyun or mqtt")
      ->check(CLI::IsMember({"aliyun", "mqtt"}));
  command.add_option("--dynamic-registration", options.dynamic_registration, "off, on or on-without-preregistration")
      ->check(CLI::IsMember({"off", "on", "on-without-preregistration"}));
  command.add_option("--auth-type", options.auth_type, "What the devices sign in with: secret or x509")
      ->check(CLI::IsMember({"secret", "x509"}));
  command
      .add_option("--first-use", options.first_use,
                  "With x509: whether a certificate that is bound to nobody is bound to the device its subject names: "
                  "off, existing, or create, which makes the device")
      ->check(CLI::IsMember({"off", "existing", "create"}));
}

void add_key_option(CLI::App& command, ProductOptions& options) {
  command.add_option("--product-key", options.product_key, "Product key")->required();
}

// A subcommand with options of its own, running `body` when it is chosen.
}  // namespace

void add_product_commands(CLI::App& app, int& exit_status) {
  CLI::App& product = *app.add_subcommand("product", "Products: create, list, show, update, delete");
  product.require_subcommand(1);
  {
    auto [command, options] = add_command(product, "create", "Create a product; what is left out is generated", create,
                                          DataFolder::kCreateIfMissing, exit_status);
    command->add_option("--product-key", options->product_key, "Product key, 1 to 20 letters and digits");
    add_shape_options(*command, *options);
    add_topic_class_option(*command, *options,
                           "Custom topic class such as user/echo:all (repeatable); RIGHT is pub, sub or all");
  }
  {
    auto [command, options] = add_command(product, "list", "List products", list, DataFolder::kMustExist, exit_status);
    command->add_option("--prefix", options->prefix, "Only keys that begin so");
    command->add_flag("--secrets", options->secrets, "With product secrets");
  }
  {
    auto [command, options] =
        add_command(product, "show", "Show a product with its secret", show, DataFolder::kMustExist, exit_status);
    add_key_option(*command, *options);
  }
  {
    auto [command, options] = add_command(product, "update", "Change a product; what is left out stays", update,
                                          DataFolder::kMustExist, exit_status);
    add_key_option(*command, *options);
    add_shape_options(*command, *options);
    add_topic_class_option(*command, *options,
                           "Custom topic class to add or change, such as user/echo:all (repeatable)");
    command->add_option("--remove-topic-class", options->removed_topic_classes, "Topic class to remove (repeatable)")
        ->type_name("SUFFIX");
  }
  {
    auto [command, options] =
        add_command(product, "delete", "Delete a product", remove, DataFolder::kMustExist, exit_status);
    add_key_option(*command, *options);
    command->add_flag("--with-devices", options->with_devices, "And all its devices");
  }
}

}  // namespace mooring::app
