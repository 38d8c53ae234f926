#include "routing/device_topic.h"

#include "mqtt/topic.h"

namespace mooring::routing {
namespace {

using mqtt::LevelIterator;

bool is_name(std::string_view level) {
  return !level.empty() && level.find_first_of("+#") == std::string_view::npos;
}

// First words that are no product keys.
bool is_reserved(std::string_view word) {
  return word == "sys" || word == "ext" || word == "shadow" || word == "ota" || word == "broadcast" || word == "as";
}

std::optional<base::DeviceKeyView> names(std::string_view product_key, std::string_view device_name) {
  if (!is_name(product_key) || !is_name(device_name)) return std::nullopt;
  return base::DeviceKeyView(product_key, device_name);
}

std::optional<base::DeviceKeyView> next_names(LevelIterator& levels) {
  std::string_view product_key;
  std::string_view device_name;
  if (!levels.next(product_key) || !levels.next(device_name)) return std::nullopt;
  return names(product_key, device_name);
}

// /${pk}/${dn}/... and /sys/${pk}/${dn}/..., whose first level has been read already.
std::optional<base::DeviceKeyView> own_tree(std::string_view first, LevelIterator& levels) {
  if (first == "sys") return next_names(levels);
  std::string_view device_name;
  if (is_reserved(first) || !levels.next(device_name)) return std::nullopt;
  return names(first, device_name);
}

std::optional<base::DeviceKeyView> ext_tree(LevelIterator& levels) {
  std::string_view word;
  if (!levels.next(word)) return std::nullopt;
  if (word == "session" || word == "ntp" || word == "error") return next_names(levels);
  std::string_view first;
  if (word != "rrpc" || !levels.next(word) || !levels.next(first)) return std::nullopt;
  // The caller's topic follows the message identifier, with its leading slash or without.
  if (first.empty() && !levels.next(first)) return std::nullopt;
  return own_tree(first, levels);
}

}  // namespace

std::optional<base::DeviceKeyView> device_of_topic(std::string_view topic) {
  if (topic.empty() || topic.front() != '/') return std::nullopt;
  LevelIterator levels(topic.substr(1));
  std::string_view word;
  std::string_view verb;
  levels.next(word);
  if (word == "ext") return ext_tree(levels);
  if (word == "shadow") {
    if (!levels.next(verb) || (verb != "update" && verb != "get")) return std::nullopt;
    return next_names(levels);
  }
  if (word == "ota") {
    if (!levels.next(word) || word != "device" || !levels.next(verb)) return std::nullopt;
    return next_names(levels);
  }
  return own_tree(word, levels);
}

}  // namespace mooring::routing
