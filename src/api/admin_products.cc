// Product operations of the admin API.
#include <fmt/format.h>

#include <boost/json/array.hpp>

#include "api/admin_json.h"
#include "api/admin_operations.h"
#include "base/text.h"
#include "registry/names.h"

namespace mooring::api {
namespace {

ApiResult<std::optional<registry::Profile>> read_profile(const boost::json::object& object) {
  const auto text = read_text(object, "profile");
  if (!text) return tl::unexpected(text.error());
  if (!*text) return std::optional<registry::Profile>();
  const auto profile = registry::profile_from_text(**text);
  if (!profile) return refuse(400, "invalid", "the profile must be aliyun or mqtt");
  return profile;
}

ApiResult<std::optional<registry::DynamicRegistration>> read_dynamic_registration(const boost::json::object& object) {
  const auto text = read_text(object, "dynamicRegistration");
  if (!text) return tl::unexpected(text.error());
  if (!*text) return std::optional<registry::DynamicRegistration>();
  const auto mode = registry::dynamic_registration_from_text(**text);
  if (!mode) {
    return refuse(400, "invalid", "dynamic registration must be off, on or on-without-preregistration");
  }
  return mode;
}

ApiResult<std::optional<registry::AuthType>> read_auth_type(const boost::json::object& object) {
  const auto text = read_text(object, "authType");
  if (!text) return tl::unexpected(text.error());
  if (!*text) return std::optional<registry::AuthType>();
  const auto type = registry::auth_type_from_text(**text);
  if (!type) return refuse(400, "invalid", "the auth type must be secret or x509");
  return type;
}

ApiResult<std::optional<registry::FirstUse>> read_first_use(const boost::json::object& object) {
  const auto text = read_text(object, "firstUse");
  if (!text) return tl::unexpected(text.error());
  if (!*text) return std::optional<registry::FirstUse>();
  const auto rule = registry::first_use_from_text(**text);
  if (!rule) return refuse(400, "invalid", "the rule for the first use must be off, existing or create");
  return rule;
}

ApiResult<std::optional<std::vector<registry::TopicClass>>> read_topic_classes(const boost::json::object& object) {
  using Classes = std::vector<registry::TopicClass>;
  const boost::json::value* value = object.if_contains("topicClasses");
  if (value == nullptr || value->is_null()) return std::optional<Classes>();
  if (!value->is_array()) return refuse(400, "bad_request", "'topicClasses' must be an array of texts");
  Classes classes;
  for (const boost::json::value& item : value->as_array()) {
    if (!item.is_string()) return refuse(400, "bad_request", "'topicClasses' must be an array of texts");
    auto topic_class = registry::parse_topic_class({item.as_string().data(), item.as_string().size()});
    if (!topic_class) return refuse(topic_class.error());
    classes.push_back(std::move(*topic_class));
  }
  return std::optional<Classes>(std::move(classes));
}

ApiResult<registry::ProductChange> read_change(const boost::json::object& object) {
  registry::ProductChange change;
  auto secret = read_text(object, "productSecret");
  if (!secret) return tl::unexpected(secret.error());
  auto name = read_text(object, "name");
  if (!name) return tl::unexpected(name.error());
  auto profile = read_profile(object);
  if (!profile) return tl::unexpected(profile.error());
  auto dynamic_registration = read_dynamic_registration(object);
  if (!dynamic_registration) return tl::unexpected(dynamic_registration.error());
  const auto auth_type = read_auth_type(object);
  if (!auth_type) return tl::unexpected(auth_type.error());
  const auto first_use = read_first_use(object);
  if (!first_use) return tl::unexpected(first_use.error());
  auto topic_classes = read_topic_classes(object);
  if (!topic_classes) return tl::unexpected(topic_classes.error());
  change.product_secret = std::move(*secret);
  change.name = std::move(*name);
  change.profile = *profile;
  change.dynamic_registration = *dynamic_registration;
  change.topic_classes = std::move(*topic_classes);
  change.auth_type = *auth_type;
  change.first_use = *first_use;
  return change;
}

}  // namespace

ApiResult<Reply> list_products(AdminContext& context, const AdminRequest& request) {
  if (auto ok = request.allow({"prefix", "limit", "cursor", "secrets"}); !ok) return tl::unexpected(ok.error());
  const auto limit = request.limit(kListRowsDefault, kListRowsMax);
  if (!limit) return tl::unexpected(limit.error());
  const auto secrets = request.flag("secrets");
  if (!secrets) return tl::unexpected(secrets.error());
  if (*secrets && context.product_secrets() == Secrets::kHide) {
    return refuse(403, "forbidden", "secrets of products take the role admin");
  }
  const auto page = context.registry.list_products({request.value("prefix")}, {request.value("cursor"), *limit});
  if (!page) return refuse(page.error());
  boost::json::array items;
  for (const registry::Product& product : page->items) {
    items.push_back(to_json(product, *secrets ? Secrets::kShow : Secrets::kHide));
  }
  boost::json::object body{{"items", std::move(items)}};
  if (!page->next.empty()) body["nextCursor"] = page->next;
  return Reply{std::move(body)};
}

ApiResult<Reply> create_product(AdminContext& context, const AdminRequest& request) {
  const auto object = parse_object(request.body, {"productKey", "productSecret", "name", "profile",
                                                  "dynamicRegistration", "topicClasses", "authType", "firstUse"});
  if (!object) return tl::unexpected(object.error());
  const auto product_key = read_text(*object, "productKey");
  if (!product_key) return tl::unexpected(product_key.error());
  auto wanted = read_change(*object);
  if (!wanted) return tl::unexpected(wanted.error());
  registry::NewProduct product;
  product.product_key = product_key->value_or("");
  product.product_secret = wanted->product_secret.value_or("");
  product.name = wanted->name.value_or("");
  product.profile = wanted->profile.value_or(registry::Profile::kAliyun);
  product.dynamic_registration = wanted->dynamic_registration.value_or(registry::DynamicRegistration::kOff);
  product.auth_type = wanted->auth_type.value_or(registry::AuthType::kSecret);
  product.first_use = wanted->first_use.value_or(registry::FirstUse::kOff);
  product.topic_classes = std::move(wanted->topic_classes).value_or(std::vector<registry::TopicClass>());
  const auto created = context.registry.create_product(product);
  if (!created) return refuse(created.error());
  return Reply{to_json(*created, Secrets::kShow), 201};
}

ApiResult<Reply> show_product(AdminContext& context, const AdminRequest& request) {
  const auto product = context.registry.get_product(request.path[1]);
  if (!product) return refuse(product.error());
  return Reply{to_json(*product, context.product_secrets())};
}

ApiResult<Reply> update_product(AdminContext& context, const AdminRequest& request) {
  const auto object = parse_object(request.body, {"productSecret", "name", "profile", "dynamicRegistration",
                                                  "topicClasses", "authType", "firstUse", "version"});
  if (!object) return tl::unexpected(object.error());
  auto change = read_change(*object);
  if (!change) return tl::unexpected(change.error());
  const auto version = read_version(*object);
  if (!version) return tl::unexpected(version.error());
  change->seen_version = *version;
  const auto product = context.registry.update_product(request.path[1], *change);
  if (!product) return refuse(product.error());
  return Reply{to_json(*product, context.product_secrets())};
}

ApiResult<Reply> delete_product(AdminContext& context, const AdminRequest& request) {
  if (auto ok = request.allow({"withDevices"}); !ok) return tl::unexpected(ok.error());
  const auto with_devices = request.flag("withDevices");
  if (!with_devices) return tl::unexpected(with_devices.error());
  const auto product = context.registry.get_product(request.path[1]);
  if (!product) return refuse(product.error());
  if (product->device_count != 0 && !*with_devices) {
    return refuse(409, "has_devices",
                  fmt::format("product '{}' still has {} devices", product->product_key, product->device_count));
  }
  if (auto ok = context.registry.delete_product(request.path[1], *with_devices); !ok) return refuse(ok.error());
  return Reply{boost::json::object{{"productKey", product->product_key}, {"deleted", true}}};
}

}  // namespace mooring::api
