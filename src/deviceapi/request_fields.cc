#include "deviceapi/request_fields.h"

#include <boost/json.hpp>

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

std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_blank) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_blank) {
      decoded.push_back(' ');
    } else if (text[i] != '%') {
      decoded.push_back(text[i]);
    } else {
      const auto byte = base::from_hex(text.substr(i + 1, 2));
      if (!byte || byte->size() != 1) return std::nullopt;
      decoded += base::as_text(*byte);
      i += 2;
    }
  }
  return decoded;
}

std::optional<auth::HttpFields> read_form(std::string_view body) {
  auth::HttpFields fields;
  body = base::trim(body);
  while (!body.empty()) {
    const std::size_t end = std::min(body.find('&'), body.size());
    const std::string_view item = body.substr(0, end);
    body.remove_prefix(std::min(end + 1, body.size()));
    if (item.empty()) continue;
    const std::size_t equals = std::min(item.find('='), item.size());
    auto name = percent_decoded(item.substr(0, equals), true);
    auto value = percent_decoded(item.substr(std::min(equals + 1, item.size())), true);
    if (!name || !value) return std::nullopt;
    fields[std::move(*name)] = std::move(*value);
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
