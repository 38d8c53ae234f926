#include "things/alink.h"

#include <algorithm>
#include <boost/json.hpp>

#include "base/text.h"

namespace mooring::things {
namespace {

namespace json = boost::json;

constexpr unsigned kDepthMax = 8;
constexpr std::size_t kNameBytesMax = 128;

std::string_view view(const json::string& text) {
  return {text.data(), text.size()};
}

// Hand-written firmware ends its text with a NUL, and begins it with a byte order mark.
std::string_view trimmed(base::ByteView payload) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  std::string_view text = base::as_text(payload);
  if (text.starts_with(kMark)) text.remove_prefix(kMark.size());
  while (!text.empty() && (text.back() == '\0' || text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) {
    text.remove_suffix(1);
  }
  return text;
}

std::optional<json::value> parse(std::string_view text) {
  json::parse_options options;
  options.max_depth = kDepthMax;
  options.allow_trailing_commas = true;
  json::error_code error;
  json::value parsed = json::parse({text.data(), text.size()}, error, {}, options);
  return error ? std::nullopt : std::optional(std::move(parsed));
}

// Numbers where texts are documented and the reverse; nothing: a value that is neither.
std::optional<std::string> text_of(const json::value& value) {
  if (const auto* text = value.if_string()) return std::string(view(*text));
  if (const auto* truth = value.if_bool()) return std::string(*truth ? "true" : "false");
  if (value.is_number()) return json::serialize(value);
  return value.is_null() ? std::optional<std::string>(std::string()) : std::nullopt;
}

// Members that are no plain values are of no concern here. Nothing: too many.
std::optional<auth::HttpFields> fields_of(const json::object& object) {
  if (object.size() > kRequestFieldsMax) return std::nullopt;
  auth::HttpFields fields;
  for (const auto& [name, value] : object) {
    auto text = text_of(value);
    if (text) fields[std::string(name.data(), name.size())] = std::move(*text);
  }
  return fields;
}

std::size_t bytes_of(const auth::HttpFields& fields) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : fields) bytes += name.size() + value.size();
  return bytes;
}

// False: not a list of objects, or too long.
bool add_items(const json::array& list, const auth::HttpFields& beside, std::vector<auth::HttpFields>& items) {
  if (list.size() > kRequestItemsMax) return false;
  for (const json::value& element : list) {
    const auto* object = element.if_object();
    if (object == nullptr) return false;
    auto fields = fields_of(*object);
    if (!fields) return false;
    fields->insert(beside.begin(), beside.end());  // what the object says itself wins
    items.push_back(std::move(*fields));
  }
  return true;
}

bool take_params(const json::value& params, std::string_view list_name, Request& request) {
  if (const auto* list = params.if_array()) {
    request.is_list = true;
    return add_items(*list, {}, request.items);
  }
  const auto* object = params.if_object();
  if (object == nullptr) return false;
  const json::value* list = list_name.empty() ? nullptr : object->if_contains({list_name.data(), list_name.size()});
  auto fields = fields_of(*object);
  if (!fields) return false;
  if (list == nullptr) {
    if (!fields->empty()) request.items.push_back(std::move(*fields));
    return true;
  }
  request.is_list = true;
  return list->is_array() && bytes_of(*fields) <= kBesideListBytesMax &&
         add_items(list->get_array(), *fields, request.items);
}

bool says_no_answer(const json::object& request) {
  const json::value* system = request.if_contains("sys");
  const json::value* ack = system != nullptr && system->is_object() ? system->get_object().if_contains("ack") : nullptr;
  return ack != nullptr && text_of(*ack) == "0";
}

}  // namespace

std::optional<Request> read_request(base::ByteView payload, std::string_view list) {
  if (payload.size() > kRequestBytesMax) return std::nullopt;
  const auto parsed = parse(trimmed(payload));
  const auto* object = parsed ? parsed->if_object() : nullptr;
  if (object == nullptr) return std::nullopt;
  Request request;
  if (const json::value* id = object->if_contains("id")) {
    auto text = text_of(*id);
    if (!text || text->size() > kRequestIdBytesMax) return std::nullopt;
    request.id = std::move(*text);
  }
  request.wants_answer = !says_no_answer(*object);
  const json::value* params = object->if_contains("params");
  if (params == nullptr || params->is_null()) return request;
  if (const auto* text = params->if_string()) {  // the C SDK's "{}"
    const auto inner = parse(view(*text));
    if (!inner || !take_params(*inner, list, request)) return std::nullopt;
    return request;
  }
  if (!take_params(*params, list, request)) return std::nullopt;
  return request;
}

std::optional<base::DeviceKey> device_of(const auth::HttpFields& fields) {
  const auto product_key = fields.find("productKey");
  const auto device_name = fields.find("deviceName");
  if (product_key == fields.end() || device_name == fields.end()) return std::nullopt;
  for (const std::string* name : {&product_key->second, &device_name->second}) {
    if (name->empty() || name->size() > kNameBytesMax) return std::nullopt;
  }
  return base::DeviceKey{product_key->second, device_name->second};
}

std::string quoted(std::string_view text) {
  return json::serialize(json::string_view(text.data(), text.size()));
}

std::string to_json(const Answer& answer) {
  std::string out = "{\"code\":" + std::to_string(answer.code);
  out.append(",\"id\":").append(quoted(answer.id)).append(",\"message\":").append(quoted(answer.message));
  if (!answer.method.empty()) out.append(",\"method\":").append(quoted(answer.method)).append(",\"version\":\"1.0\"");
  return out.append(",\"data\":").append(answer.data).append("}");
}

std::string to_message(std::string_view id, std::string_view method, std::string_view params) {
  std::string out = "{\"id\":";
  out.append(quoted(id)).append(",\"version\":\"1.0\",\"method\":").append(quoted(method));
  return out.append(",\"params\":").append(params).append("}");
}

std::string to_json(const base::DeviceKey& device) {
  return "{\"productKey\":" + quoted(device.product_key) + ",\"deviceName\":" + quoted(device.device_name) + "}";
}

std::string to_json(std::span<const base::DeviceKey> devices) {
  std::string out = "[";
  for (const base::DeviceKey& device : devices) {
    if (out.size() > 1) out += ',';
    out += to_json(device);
  }
  return out += ']';
}

std::string topology_change(int status, const base::DeviceKey& child) {
  return "{\"status\":" + std::to_string(status) + ",\"subList\":[" + to_json(child) + "]}";
}

std::string session_error(std::string_view id, int code, std::string_view message, const base::DeviceKey& child) {
  const std::string data = to_json(child);
  return to_json(Answer{code, id, message, {}, data});
}

std::string_view behind_names(std::string_view topic, std::string_view tree) {
  if (!topic.starts_with(tree)) return {};
  topic.remove_prefix(tree.size());
  for (int level = 0; level < 2; ++level) {
    const std::size_t slash = topic.find('/');
    if (slash == std::string_view::npos) return {};
    topic.remove_prefix(slash + 1);
  }
  return topic;
}

std::string method_of(std::string_view topic) {
  std::string method(behind_names(topic, "/sys/"));
  std::replace(method.begin(), method.end(), '/', '.');
  return method;
}

}  // namespace mooring::things
