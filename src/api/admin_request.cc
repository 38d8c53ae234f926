#include "api/admin_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <charconv>
#include <limits>

#include "base/percent.h"
#include "base/text.h"

namespace mooring::api {
namespace {

constexpr std::string_view kRoot = "/api/v1/";
constexpr std::size_t kTargetBytesMax = 4096;
constexpr std::size_t kSegmentsMax = 8;

auto bad_request(std::string message) {
  return refuse(400, "bad_request", std::move(message));
}
auto broken_encoding() {
  return bad_request("broken percent-encoding in the address");
}

ApiResult<void> parse_path(std::string_view path, AdminRequest& request) {
  if (!path.starts_with(kRoot)) return refuse(404, "not_found", "there is nothing at this address");
  path.remove_prefix(kRoot.size());
  for (;;) {
    const std::size_t slash = path.find('/');
    auto segment = base::percent_decoded(path.substr(0, slash), false);
    if (!segment) return broken_encoding();
    request.path.push_back(std::move(*segment));
    if (slash == std::string_view::npos) return {};
    if (request.path.size() == kSegmentsMax) return refuse(404, "not_found", "there is nothing at this address");
    path.remove_prefix(slash + 1);
  }
}

std::string unknown_name(std::string_view what, std::string_view name, std::span<const std::string_view> known) {
  std::string message = fmt::format("unknown {} '{}'", what, base::printable(name, 64));
  if (const auto meant = base::nearest(name, known)) message += fmt::format("; did you mean '{}'?", *meant);
  return message;
}

}  // namespace

ApiError to_api_error(const base::Error& error) {
  switch (error.code) {
    case base::Errc::kInvalidArgument:
      return {400, "invalid", error.message};
    case base::Errc::kNotFound:
      return {404, "not_found", error.message};
    case base::Errc::kAlreadyExists:
      return {409, "already_exists", error.message};
    case base::Errc::kConflict:
      return {409, "version_conflict", error.message};
    case base::Errc::kPermissionDenied:
      return {403, "forbidden", error.message};
    case base::Errc::kLimitExceeded:
      return {400, "limit_exceeded", error.message};
    case base::Errc::kUnavailable:
      return {503, "unavailable", error.message};
    case base::Errc::kIo:
    case base::Errc::kCorrupt:
      return {500, "storage_failed", error.message};
    case base::Errc::kInternal:
      break;
  }
  return {500, "internal", error.message};
}

const std::string* AdminRequest::find(std::string_view name) const {
  for (const auto& [key, text] : query) {
    if (key == name) return &text;
  }
  return nullptr;
}

std::string AdminRequest::value(std::string_view name) const {
  const std::string* found = find(name);
  return found == nullptr ? std::string() : *found;
}

ApiResult<bool> AdminRequest::flag(std::string_view name) const {
  const std::string text = value(name);
  if (text.empty() || text == "false") return false;
  if (text == "true") return true;
  return bad_request(fmt::format("'{}' must be true or false", name));
}

ApiResult<std::size_t> AdminRequest::limit(std::size_t preset, std::size_t most) const {
  const std::string* text = find("limit");
  if (text == nullptr) return preset;
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || end != text->data() + text->size() || number < 1 || number > most) {
    return bad_request(fmt::format("'limit' must be a number from 1 to {}", most));
  }
  return number;
}

ApiResult<std::uint32_t> AdminRequest::number(std::string_view name, std::uint32_t preset, std::uint32_t most) const {
  const std::string text = value(name);
  if (text.empty()) return preset;
  std::uint32_t parsed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
  if (error != std::errc() || end != text.data() + text.size() || parsed > most) {
    return bad_request(fmt::format("'{}' must be a number from 0 to {}", name, most));
  }
  return parsed;
}

ApiResult<void> AdminRequest::allow(std::initializer_list<std::string_view> names) const {
  for (const auto& [key, text] : query) {
    if (std::ranges::find(names, key) == names.end()) {
      return bad_request(unknown_name("parameter", key, {names.begin(), names.size()}));
    }
  }
  return {};
}

ApiResult<AdminRequest> parse_request(std::string_view method, std::string_view target, std::string_view body) {
  if (target.size() > kTargetBytesMax) return bad_request("the address is too long");
  AdminRequest request;
  request.method = method;
  request.body = body;
  const std::size_t question = std::min(target.find('?'), target.size());
  if (auto ok = parse_path(target.substr(0, question), request); !ok) return tl::unexpected(ok.error());
  auto pairs = base::query_pairs(target.substr(std::min(question + 1, target.size())));
  if (!pairs) return broken_encoding();
  request.query = std::move(*pairs);
  return request;
}

ApiResult<void> check_keys(const boost::json::object& object, std::initializer_list<std::string_view> names) {
  for (const auto& member : object) {
    const std::string_view key(member.key().data(), member.key().size());
    if (std::ranges::find(names, key) == names.end()) {
      return bad_request(unknown_name("key", key, {names.begin(), names.size()}));
    }
  }
  return {};
}

ApiResult<boost::json::object> parse_object(std::string_view body, std::initializer_list<std::string_view> names) {
  if (base::trim(body).empty()) return boost::json::object();
  boost::json::error_code error;
  boost::json::value value = boost::json::parse({body.data(), body.size()}, error);
  if (error) return refuse(400, "bad_json", "the body is not well-formed JSON");
  if (!value.is_object()) return refuse(400, "bad_json", "the body must be a JSON object");
  if (auto ok = check_keys(value.as_object(), names); !ok) return tl::unexpected(ok.error());
  return std::move(value.as_object());
}

ApiResult<std::optional<std::string>> read_text(const boost::json::object& object, std::string_view name) {
  const boost::json::value* value = object.if_contains({name.data(), name.size()});
  if (value == nullptr || value->is_null()) return std::optional<std::string>();
  if (!value->is_string()) return bad_request(fmt::format("'{}' must be a text", name));
  return std::optional<std::string>(std::in_place, value->as_string().data(), value->as_string().size());
}

ApiResult<std::optional<bool>> read_bool(const boost::json::object& object, std::string_view name) {
  const boost::json::value* value = object.if_contains({name.data(), name.size()});
  if (value == nullptr || value->is_null()) return std::optional<bool>();
  if (!value->is_bool()) return bad_request(fmt::format("'{}' must be true or false", name));
  return std::optional<bool>(value->as_bool());
}

ApiResult<std::optional<std::uint32_t>> read_number(const boost::json::object& object, std::string_view name,
                                                    std::uint32_t least, std::uint32_t most) {
  const boost::json::value* value = object.if_contains({name.data(), name.size()});
  if (value == nullptr || value->is_null()) return std::optional<std::uint32_t>();
  boost::json::error_code error;
  const auto number = value->is_number() ? value->to_number<std::int64_t>(error) : std::int64_t{-1};
  if (error || number < std::int64_t{least} || number > std::int64_t{most}) {
    return refuse(400, "invalid", fmt::format("'{}' must be a number from {} to {}", name, least, most));
  }
  return std::optional<std::uint32_t>(static_cast<std::uint32_t>(number));
}

ApiResult<std::optional<std::uint64_t>> read_version(const boost::json::object& object) {
  const auto number = read_number(object, "version", 0, std::numeric_limits<std::uint32_t>::max());
  if (!number) return tl::unexpected(number.error());
  return *number ? std::optional<std::uint64_t>(**number) : std::optional<std::uint64_t>();
}

}  // namespace mooring::api
