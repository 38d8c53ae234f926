// Private to the module: the parts of a request of the admin API, and what its operations answer.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace mooring::api {

struct ApiError {
  int status = 500;
  std::string code;
  std::string message;
  std::string allow = {};  // of a 405
};
ApiError to_api_error(const base::Error& error);

template <class T>
using ApiResult = tl::expected<T, ApiError>;

inline tl::unexpected<ApiError> refuse(int status, std::string code, std::string message) {
  return tl::unexpected<ApiError>(ApiError{status, std::move(code), std::move(message)});
}
inline tl::unexpected<ApiError> refuse(const base::Error& error) {
  return tl::unexpected<ApiError>(to_api_error(error));
}

struct Reply {
  boost::json::value body;
  int status = 200;
};

struct AdminRequest {
  std::string_view method;
  std::vector<std::string> path;  // decoded segments behind /api/v1/
  std::vector<std::pair<std::string, std::string>> query;
  std::string_view body;

  const std::string* find(std::string_view name) const;
  std::string value(std::string_view name) const;     // empty when missing
  ApiResult<bool> flag(std::string_view name) const;  // false when missing
  ApiResult<std::size_t> limit(std::size_t preset, std::size_t most) const;
  // 0 to `most`; `preset` when missing.
  ApiResult<std::uint32_t> number(std::string_view name, std::uint32_t preset, std::uint32_t most) const;
  // Refuses a query with another name than these, suggesting the one that was meant.
  ApiResult<void> allow(std::initializer_list<std::string_view> names) const;
};

ApiResult<AdminRequest> parse_request(std::string_view method, std::string_view target, std::string_view body);

// The body as an object with no other keys than `names`; an empty body is an empty object.
ApiResult<boost::json::object> parse_object(std::string_view body, std::initializer_list<std::string_view> names);
ApiResult<void> check_keys(const boost::json::object& object, std::initializer_list<std::string_view> names);

// Readers of optional members: nothing when missing or null, an error when of another type.
ApiResult<std::optional<std::string>> read_text(const boost::json::object& object, std::string_view name);
ApiResult<std::optional<bool>> read_bool(const boost::json::object& object, std::string_view name);
// A whole number from `least` to `most`.
ApiResult<std::optional<std::uint32_t>> read_number(const boost::json::object& object, std::string_view name,
                                                    std::uint32_t least, std::uint32_t most);
// The member "version": what whoever asks has seen.
ApiResult<std::optional<std::uint64_t>> read_version(const boost::json::object& object);

}  // namespace mooring::api
