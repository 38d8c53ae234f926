#include "ws/header_list.h"

#include <algorithm>

#include "base/text.h"

namespace mooring::ws {

std::size_t count_headers(Headers headers, std::string_view name) {
  return static_cast<std::size_t>(
      std::count_if(headers.begin(), headers.end(), [&](const HeaderField& h) { return base::iequals(h.name, name); }));
}

std::string_view first_value(Headers headers, std::string_view name) {
  for (const HeaderField& header : headers) {
    if (base::iequals(header.name, name)) return base::trim(header.value);
  }
  return {};
}

std::optional<std::string_view> take_element(std::optional<std::string_view>& list) {
  if (!list) return std::nullopt;
  const std::size_t comma = list->find(',');
  const std::string_view element = base::trim(list->substr(0, comma));
  if (comma == std::string_view::npos) {
    list.reset();
  } else {
    list->remove_prefix(comma + 1);
  }
  return element;
}

bool lists_token(Headers headers, std::string_view name, std::string_view token) {
  for (const HeaderField& header : headers) {
    if (!base::iequals(header.name, name)) continue;
    std::optional<std::string_view> list = header.value;
    while (const auto element = take_element(list)) {
      if (base::iequals(*element, token)) return true;
    }
  }
  return false;
}

}  // namespace mooring::ws
