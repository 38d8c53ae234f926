#include "session/automatic_topics.h"

#include <array>

namespace mooring::session {
namespace {

constexpr std::string_view kSystemPrefix = "/sys/";

// Behind "/sys/${pk}/${dn}". The order is stored: append only.
constexpr auto kSystemTopics = std::to_array<std::string_view>({
    "/thing/model/down_raw",
    "/thing/model/up_raw_reply",
    "/thing/event/+/post_reply",
    "/thing/deviceinfo/update_reply",
    "/thing/deviceinfo/delete_reply",
    "/thing/dynamicTsl/get_reply",
    "/thing/dsltemplate/get_reply",
    "/rrpc/request/+",
    "/thing/service/property/set",
    "/thing/service/property/get",
    "/thing/event/property/history/post_reply",
    "/thing/service/+",
    "/thing/gateway/permit",
    "/thing/topo/change",
    "/thing/topo/add_reply",
    "/thing/topo/delete_reply",
    "/thing/topo/get_reply",
    "/thing/sub/register_reply",
    "/thing/sub/unregister_reply",
    "/thing/disable_reply",
    "/thing/reset_reply",
    "/thing/config/push",
    "/thing/config/get_reply",
    "/thing/config/log/push",
    "/thing/lan/prefix/get_reply",
    "/thing/lan/prefix/update",
    "/thing/lan/blacklist/update_reply",
    "/thing/property/desired/get_reply",
    "/thing/property/desired/delete_reply",
    "/thing/awss/enrollee/match_reply",
    "/thing/awss/enrollee/checkin",
    "/thing/awss/enrollee/found_reply",
    "/awss/device/switchap",
    "/thing/cipher/get_reply",
    "/thing/bootstrap/config/push",
    "/thing/bootstrap/notify",
    "/thing/proxy/provisioning/product_register_reply",
    "/thing/job/notify",
    "/thing/job/get_reply",
    "/thing/job/update_reply",
    "/thing/ota/firmware/get_reply",
    "/_thing/event/notify",
    "/_thing/service/post_reply",
});

// In front of "/${pk}/${dn}"; numbered behind the others.
constexpr auto kFullTopics = std::to_array<std::string_view>({
    "/ota/device/upgrade",
    "/ota/device/request",
    "/shadow/get",
});

static_assert(kSystemTopics.size() + kFullTopics.size() == kAutomaticTopics);

// Whether `text` is "/${pk}/${dn}" and what follows it.
std::optional<std::string_view> after_names(std::string_view text, const base::DeviceKeyView& device) {
  for (const std::string_view name : {device.product_key, device.device_name}) {
    if (text.size() <= name.size() || text.front() != '/' || !text.substr(1).starts_with(name)) return std::nullopt;
    text.remove_prefix(1 + name.size());
  }
  if (!text.empty() && text.front() != '/') return std::nullopt;
  return text;
}

// What follows "/sys/${pk}/${dn}".
std::optional<std::string_view> system_suffix(std::string_view text, const base::DeviceKeyView& device) {
  if (!text.starts_with(kSystemPrefix)) return std::nullopt;
  return after_names(text.substr(kSystemPrefix.size() - 1), device);
}

bool is_one_level(std::string_view text) {
  return text.find('/') == std::string_view::npos;
}

// A pattern has at most one '+', which stands for one level.
bool fits(std::string_view pattern, std::string_view suffix) {
  const std::size_t plus = pattern.find('+');
  if (plus == std::string_view::npos) return pattern == suffix;
  const std::string_view tail = pattern.substr(plus + 1);
  if (suffix.size() < plus + tail.size() || !suffix.starts_with(pattern.substr(0, plus)) || !suffix.ends_with(tail)) {
    return false;
  }
  return is_one_level(suffix.substr(plus, suffix.size() - plus - tail.size()));
}

template <class Fits>
std::optional<std::size_t> find(const base::DeviceKeyView& device, std::string_view text, Fits fits_suffix) {
  if (const auto suffix = system_suffix(text, device)) {
    for (std::size_t i = 0; i < kSystemTopics.size(); ++i) {
      if (fits_suffix(kSystemTopics[i], *suffix)) return i;
    }
    return std::nullopt;
  }
  for (std::size_t i = 0; i < kFullTopics.size(); ++i) {
    if (!text.starts_with(kFullTopics[i])) continue;
    const auto rest = after_names(text.substr(kFullTopics[i].size()), device);
    if (rest && rest->empty()) return kSystemTopics.size() + i;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::size_t> automatic_filter_number(const base::DeviceKeyView& device, std::string_view filter) {
  return find(device, filter, [](std::string_view pattern, std::string_view suffix) { return pattern == suffix; });
}

std::optional<std::size_t> automatic_topic_number(const base::DeviceKeyView& device, std::string_view topic) {
  return find(device, topic, fits);
}

std::string automatic_filter(const base::DeviceKeyView& device, std::size_t number) {
  const std::string names = "/" + std::string(device.product_key) + "/" + std::string(device.device_name);
  if (number < kSystemTopics.size()) return "/sys" + names + std::string(kSystemTopics[number]);
  return std::string(kFullTopics.at(number - kSystemTopics.size())) + names;
}

bool is_pushed_topic(const base::DeviceKeyView& device, std::string_view topic) {
  constexpr std::string_view kBroadcast = "/broadcast/request/";
  constexpr std::string_view kError = "/ext/error";
  constexpr std::string_view kTime = "/ext/ntp";
  if (const auto suffix = system_suffix(topic, device)) {
    return suffix->starts_with(kBroadcast) && is_one_level(suffix->substr(kBroadcast.size()));
  }
  if (topic.starts_with(kError)) {
    const auto rest = after_names(topic.substr(kError.size()), device);
    return rest && rest->empty();
  }
  if (!topic.starts_with(kTime)) return false;
  const auto rest = after_names(topic.substr(kTime.size()), device);
  return rest && *rest == "/response";
}

}  // namespace mooring::session
