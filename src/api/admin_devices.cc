// Device operations of the admin API.
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <unordered_set>

#include "api/admin_json.h"
#include "api/admin_operations.h"
#include "base/text.h"

namespace mooring::api {
namespace {

constexpr std::size_t kSearchBytesMax = 128;

base::DeviceKey key_of(const AdminRequest& request) {
  return {request.path[1], request.path[3]};
}

struct ListWanted {
  registry::DeviceFilter filter;
  registry::PageRequest page;
  Secrets secrets = Secrets::kHide;
};

ApiResult<ListWanted> read_list(const AdminRequest& request, std::string product_key) {
  ListWanted wanted;
  wanted.filter.product_key = std::move(product_key);
  wanted.filter.prefix = request.value("prefix");
  if (!wanted.filter.prefix.empty() && wanted.filter.product_key.empty()) {
    return refuse(400, "bad_request", "'prefix' needs a product key");
  }
  wanted.filter.search = request.value("search");
  if (!wanted.filter.search.empty() && !wanted.filter.prefix.empty()) {
    return refuse(400, "bad_request", "'prefix' and 'search' exclude each other");
  }
  if (wanted.filter.search.size() > kSearchBytesMax) return refuse(400, "invalid", "'search' is too long");
  if (const std::string* text = request.find("status"); text != nullptr && !text->empty()) {
    wanted.filter.status = registry::device_status_from_text(*text);
    if (!wanted.filter.status) {
      return refuse(400, "invalid", "the status must be UNACTIVE, ONLINE, OFFLINE or DISABLE");
    }
  }
  const auto limit = request.limit(kListRowsDefault, kListRowsMax);
  if (!limit) return tl::unexpected(limit.error());
  const auto secrets = request.flag("secrets");
  if (!secrets) return tl::unexpected(secrets.error());
  wanted.page = {request.value("cursor"), *limit};
  wanted.secrets = *secrets ? Secrets::kShow : Secrets::kHide;
  return wanted;
}

ApiResult<Reply> list_page(AdminContext& context, const ListWanted& wanted) {
  if (wanted.secrets == Secrets::kShow && context.device_secrets() == Secrets::kHide) {
    return refuse(403, "forbidden", "secrets of devices take the role operator");
  }
  const auto page = context.registry.list_devices(wanted.filter, wanted.page);
  if (!page) return refuse(page.error());
  // An empty list of a product that is not there would hide a slip of the pen.
  if (page->items.empty() && !wanted.filter.product_key.empty()) {
    if (auto product = context.registry.get_product(wanted.filter.product_key); !product) {
      return refuse(product.error());
    }
  }
  boost::json::array items;
  for (const registry::Device& device : page->items) items.push_back(to_json(device, wanted.secrets));
  boost::json::object body{{"items", std::move(items)}};
  if (!page->next.empty()) body["nextCursor"] = page->next;
  return Reply{std::move(body)};
}

ApiResult<registry::NewDevice> read_new_device(const boost::json::object& object) {
  registry::NewDevice device;
  auto name = read_text(object, "deviceName");
  if (!name) return tl::unexpected(name.error());
  auto secret = read_text(object, "deviceSecret");
  if (!secret) return tl::unexpected(secret.error());
  auto nickname = read_text(object, "nickname");
  if (!nickname) return tl::unexpected(nickname.error());
  const auto without_secret = read_bool(object, "withoutSecret");
  if (!without_secret) return tl::unexpected(without_secret.error());
  device.device_name = std::move(*name).value_or("");
  device.device_secret = std::move(*secret).value_or("");
  device.nickname = std::move(*nickname).value_or("");
  device.without_secret = without_secret->value_or(false);
  if (device.without_secret && !device.device_secret.empty()) {
    return refuse(400, "invalid", "'deviceSecret' and 'withoutSecret' exclude each other");
  }
  return device;
}

// Nothing: one device is wanted.
ApiResult<std::optional<std::size_t>> read_count(const boost::json::object& object) {
  const boost::json::value* value = object.if_contains("count");
  if (value == nullptr || value->is_null()) return std::optional<std::size_t>();
  const std::int64_t count = value->is_int64() ? value->as_int64() : 0;
  if (count < 1 || count > static_cast<std::int64_t>(registry::kBatchDevicesMax)) {
    return refuse(400, "invalid", fmt::format("'count' must be a number from 1 to {}", registry::kBatchDevicesMax));
  }
  if (object.contains("deviceName") || object.contains("deviceSecret") || object.contains("names")) {
    return refuse(400, "invalid", "'count' makes devices with new names and secrets: leave these out");
  }
  return std::optional<std::size_t>(static_cast<std::size_t>(count));
}

// Nothing: no list of names was sent.
ApiResult<std::optional<std::vector<std::string>>> read_names(const boost::json::object& object) {
  const boost::json::value* value = object.if_contains("names");
  if (value == nullptr || value->is_null()) return std::optional<std::vector<std::string>>();
  if (!value->is_array()) return refuse(400, "bad_request", "'names' must be an array of texts");
  const boost::json::array& items = value->as_array();
  if (items.empty() || items.size() > registry::kBatchDevicesMax) {
    return refuse(400, items.empty() ? "invalid" : "limit_exceeded",
                  fmt::format("'names' holds 1 to {} names", registry::kBatchDevicesMax));
  }
  if (object.contains("deviceName") || object.contains("deviceSecret")) {
    return refuse(400, "invalid", "'names' makes devices with new secrets: leave 'deviceName' and 'deviceSecret' out");
  }
  std::vector<std::string> names;
  std::unordered_set<std::string> seen;
  for (const boost::json::value& item : items) {
    if (!item.is_string()) return refuse(400, "bad_request", "'names' must be an array of texts");
    std::string name(item.as_string().data(), item.as_string().size());
    if (name.empty()) return refuse(400, "invalid", "a name in 'names' is empty");
    if (!seen.insert(name).second) {
      return refuse(400, "invalid", fmt::format("'{}' stands in 'names' twice", base::printable(name, 80)));
    }
    names.push_back(std::move(name));
  }
  return std::optional(std::move(names));
}

// The devices that a request asks for, all with what `like` has besides its name.
ApiResult<std::vector<registry::NewDevice>> read_batch(const boost::json::object& object,
                                                       const registry::NewDevice& like) {
  const auto count = read_count(object);
  if (!count) return tl::unexpected(count.error());
  auto names = read_names(object);
  if (!names) return tl::unexpected(names.error());
  std::vector<registry::NewDevice> wanted(*names ? (*names)->size() : count->value_or(1), like);
  if (!*names) return wanted;
  for (std::size_t i = 0; i < wanted.size(); ++i) wanted[i].device_name = std::move((**names)[i]);
  return wanted;
}

ApiResult<Reply> set_enabled(AdminContext& context, const AdminRequest& request, bool enabled) {
  registry::DeviceChange change;
  change.enabled = enabled;
  const auto device = context.registry.update_device(key_of(request), change);
  if (!device) return refuse(device.error());
  return Reply{to_json(*device, Secrets::kHide)};
}

}  // namespace

ApiResult<Reply> list_devices(AdminContext& context, const AdminRequest& request) {
  if (auto ok = request.allow({"prefix", "search", "status", "limit", "cursor", "secrets"}); !ok) {
    return tl::unexpected(ok.error());
  }
  const auto wanted = read_list(request, request.path[1]);
  if (!wanted) return tl::unexpected(wanted.error());
  return list_page(context, *wanted);
}

ApiResult<Reply> list_all_devices(AdminContext& context, const AdminRequest& request) {
  if (auto ok = request.allow({"productKey", "prefix", "search", "status", "limit", "cursor", "secrets"}); !ok) {
    return tl::unexpected(ok.error());
  }
  const auto wanted = read_list(request, request.value("productKey"));
  if (!wanted) return tl::unexpected(wanted.error());
  return list_page(context, *wanted);
}

ApiResult<Reply> export_devices(AdminContext& context, const AdminRequest& request) {
  if (auto ok = request.allow({"productKey", "limit", "cursor"}); !ok) return tl::unexpected(ok.error());
  const auto limit = request.limit(kListRowsMax, kExportRowsMax);
  if (!limit) return tl::unexpected(limit.error());
  ListWanted wanted;
  wanted.filter.product_key = request.value("productKey");
  wanted.page = {request.value("cursor"), *limit};
  wanted.secrets = Secrets::kShow;
  return list_page(context, wanted);
}

ApiResult<Reply> create_devices(AdminContext& context, const AdminRequest& request) {
  const auto object =
      parse_object(request.body, {"deviceName", "deviceSecret", "nickname", "withoutSecret", "count", "names"});
  if (!object) return tl::unexpected(object.error());
  const auto device = read_new_device(*object);
  if (!device) return tl::unexpected(device.error());
  const auto wanted = read_batch(*object, *device);
  if (!wanted) return tl::unexpected(wanted.error());
  const auto created = context.registry.create_devices(request.path[1], *wanted);
  if (!created) return refuse(created.error());
  const auto is_list = [&](const char* name) { return object->contains(name) && !object->at(name).is_null(); };
  if (!is_list("count") && !is_list("names")) return Reply{to_json(created->front(), Secrets::kShow), 201};
  boost::json::array items;
  for (const registry::Device& one : *created) items.push_back(to_json(one, Secrets::kShow));
  return Reply{boost::json::object{{"items", std::move(items)}}, 201};
}

ApiResult<Reply> show_device(AdminContext& context, const AdminRequest& request) {
  auto device = context.registry.get_device(key_of(request));
  if (!device) return refuse(device.error());
  // The stored state follows by a moment; the broker knows better.
  if (context.sessions != nullptr) device->online = context.sessions->is_online(device->key);
  boost::json::object body = to_json(*device, context.device_secrets());
  const auto certificates = context.registry.list_certificates(device->key);
  if (!certificates) return refuse(certificates.error());
  boost::json::array bound;
  for (const registry::BoundCertificate& one : *certificates) bound.push_back(to_json(one));
  body["certificates"] = std::move(bound);
  return Reply{std::move(body)};
}

ApiResult<Reply> update_device(AdminContext& context, const AdminRequest& request) {
  const auto object = parse_object(request.body, {"nickname", "deviceSecret", "version"});
  if (!object) return tl::unexpected(object.error());
  registry::DeviceChange change;
  auto nickname = read_text(*object, "nickname");
  if (!nickname) return tl::unexpected(nickname.error());
  auto secret = read_text(*object, "deviceSecret");
  if (!secret) return tl::unexpected(secret.error());
  const auto version = read_version(*object);
  if (!version) return tl::unexpected(version.error());
  change.nickname = std::move(*nickname);
  change.device_secret = std::move(*secret);
  change.seen_version = *version;
  const auto device = context.registry.update_device(key_of(request), change);
  if (!device) return refuse(device.error());
  return Reply{to_json(*device, context.device_secrets())};
}

ApiResult<Reply> delete_device(AdminContext& context, const AdminRequest& request) {
  const base::DeviceKey key = key_of(request);
  if (auto ok = context.registry.delete_device(key); !ok) return refuse(ok.error());
  return Reply{
      boost::json::object{{"productKey", key.product_key}, {"deviceName", key.device_name}, {"deleted", true}}};
}

ApiResult<Reply> enable_device(AdminContext& context, const AdminRequest& request) {
  return set_enabled(context, request, true);
}

ApiResult<Reply> disable_device(AdminContext& context, const AdminRequest& request) {
  return set_enabled(context, request, false);
}

ApiResult<Reply> kick_device(AdminContext& context, const AdminRequest& request) {
  const base::DeviceKey key = key_of(request);
  if (auto device = context.registry.get_device(key); !device) return refuse(device.error());
  if (context.sessions == nullptr)
    return refuse(503, "not_running", "the server is not running, so nobody is connected");
  if (!context.sessions->kick(key)) {
    return refuse(409, "not_connected", fmt::format("device '{}' is not connected", key.device_name));
  }
  return Reply{boost::json::object{{"productKey", key.product_key}, {"deviceName", key.device_name}, {"kicked", true}}};
}

// It may register once more, although it was online (connection.md section 10).
ApiResult<Reply> reset_device(AdminContext& context, const AdminRequest& request) {
  const base::DeviceKey key = key_of(request);
  const auto device = context.registry.reset_registration(key);
  if (!device) return refuse(device.error());
  return Reply{boost::json::object{{"productKey", key.product_key}, {"deviceName", key.device_name}, {"reset", true}}};
}

}  // namespace mooring::api
