#include "deviceapi/request_fields.h"

#include <boost/json.hpp>

#include "base/percent.h"
#include "base/text.h"

namespace mooring::deviceapi {
namespace {

constexpr unsigned kJsonDepthMax = 4;

// A number counts as its digits: some firmware sends the timestamp without quotes.
std::optional<std::string> text_of(const boost::json::value& value) {
  if (const auto* text = value.if_string()) return std::string(text->data(), text->size());
  if (const auto* number = value.if_int64()) return std::to_string(*number);
  if (const auto* number = value.if_uint64()) return std::to_string(*number);
  return std::nullopt;
}

}  // namespace

std::optional<auth::HttpFields> read_form(std::string_view body) {
  auto pairs = base::query_pairs(base::trim(body));
  if (!pairs) return std::nullopt;
  auth::HttpFields fields;
  for (auto& [name, value] : *pairs) {
    fields[std::move(name)] = std::move(value);
    if (fields.size() > kFieldsMax) return std::nullopt;
  }
  return fields;
}

std::optional<auth::HttpFields> read_json(std::string_view body) {
  boost::json::parse_options options;
  options.max_depth = kJsonDepthMax;
  boost::json::error_code error;
  const boost::json::value parsed = boost::json::parse({body.data(), body.size()}, error, {}, options);
  const auto* object = error ? nullptr : parsed.if_object();
  if (object == nullptr || object->size() > kFieldsMax) return std::nullopt;
  auth::HttpFields fields;
  for (const auto& [name, value] : *object) {
    auto text = text_of(value);
    if (!text) return std::nullopt;
    fields[std::string(name.data(), name.size())] = std::move(*text);
  }
  return fields;
}

std::optional<auth::HttpFields> read_fields(const http::Request& request) {
  const std::string type = base::to_lower(request.field("Content-Type").value_or(""));
  return type.find("json") != std::string::npos ? read_json(request.body) : read_form(request.body);
}

}  // namespace mooring::deviceapi
