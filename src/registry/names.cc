#include "registry/names.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "crypto/random.h"

namespace mooring::registry {
namespace {

bool is_alnum(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}
bool is_device_name_char(char c) {
  return is_alnum(c) || std::string_view("-_@.:").find(c) != std::string_view::npos;
}

base::Result<> invalid(std::string message) {
  return base::fail(base::Errc::kInvalidArgument, std::move(message));
}

base::Result<> check_level(std::string_view level, bool last, TopicRight right, std::string_view suffix) {
  if (level.empty()) return invalid(fmt::format("topic class '{}' has an empty level", base::printable(suffix)));
  if (level == "+" || level == "#") {
    if (right != TopicRight::kSubscribe) {
      return invalid(fmt::format("topic class '{}': wildcards need the right 'sub'", base::printable(suffix)));
    }
    if (level == "#" && !last) {
      return invalid(fmt::format("topic class '{}': '#' may only be the last level", base::printable(suffix)));
    }
    return {};
  }
  if (!std::ranges::all_of(level, [](char c) { return is_alnum(c) || c == '_'; })) {
    return invalid(
        fmt::format("topic class '{}': levels are made of letters, digits and '_'", base::printable(suffix)));
  }
  return {};
}

}  // namespace

base::Result<> check_product_key(std::string_view product_key) {
  if (product_key.empty() || product_key.size() > kProductKeyBytesMax || !std::ranges::all_of(product_key, is_alnum)) {
    return invalid(fmt::format("product key '{}' must be 1 to {} letters and digits", base::printable(product_key, 64),
                               kProductKeyBytesMax));
  }
  return {};
}

base::Result<> check_device_name(std::string_view device_name) {
  if (device_name.empty() || device_name.size() > kDeviceNameBytesMax ||
      !std::ranges::all_of(device_name, is_device_name_char)) {
    return invalid(fmt::format("device name '{}' must be 1 to {} characters out of A-Z a-z 0-9 - _ @ . :",
                               base::printable(device_name, 80), kDeviceNameBytesMax));
  }
  return {};
}

base::Result<> check_secret(std::string_view secret, std::string_view what) {
  const bool fits = !secret.empty() && secret.size() <= kSecretBytesMax &&
                    std::ranges::all_of(secret, [](char c) { return c > ' ' && c < 0x7f; });
  if (!fits) return invalid(fmt::format("the {} must be 1 to {} visible ASCII characters", what, kSecretBytesMax));
  return {};
}

base::Result<> check_title(std::string_view title, std::string_view what) {
  const bool fits = title.size() <= kTitleBytesMax && base::is_utf8(title) &&
                    std::ranges::none_of(title, [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; });
  if (!fits) {
    return invalid(
        fmt::format("the {} must be at most {} bytes of UTF-8 without control characters", what, kTitleBytesMax));
  }
  return {};
}

base::Result<> check_iot_id(std::string_view iot_id) {
  if (iot_id.empty() || iot_id.size() > kSecretBytesMax || !std::ranges::all_of(iot_id, is_alnum)) {
    return invalid(
        fmt::format("iotId '{}' must be 1 to {} letters and digits", base::printable(iot_id, 80), kSecretBytesMax));
  }
  return {};
}

base::Result<> check_topic_class(const TopicClass& topic_class) {
  const std::string_view suffix = topic_class.suffix;
  // The whole topic is /${pk}/${dn}/suffix: 128 bytes and 7 slashes, of which the prefix takes at least five bytes and
  // three slashes.
  if (suffix.empty() || suffix.size() + 5 > kTopicBytesMax || std::ranges::count(suffix, '/') > 4) {
    return invalid(fmt::format("topic class '{}' must keep the topic within {} bytes and 7 slashes",
                               base::printable(suffix), kTopicBytesMax));
  }
  for (std::size_t begin = 0; begin <= suffix.size();) {
    const std::size_t end = std::min(suffix.find('/', begin), suffix.size());
    if (auto ok = check_level(suffix.substr(begin, end - begin), end == suffix.size(), topic_class.right, suffix);
        !ok) {
      return ok;
    }
    begin = end + 1;
  }
  return {};
}

base::Result<> check_topic_classes(const std::vector<TopicClass>& topic_classes) {
  if (topic_classes.size() > kTopicClassesMax) {
    return base::fail(base::Errc::kLimitExceeded,
                      fmt::format("a product has at most {} topic classes", kTopicClassesMax));
  }
  for (std::size_t i = 0; i < topic_classes.size(); ++i) {
    if (auto ok = check_topic_class(topic_classes[i]); !ok) return ok;
    for (std::size_t j = 0; j < i; ++j) {
      if (topic_classes[i].suffix == topic_classes[j].suffix) {
        return invalid(fmt::format("topic class '{}' is given twice", topic_classes[i].suffix));
      }
    }
  }
  return {};
}

base::Result<TopicClass> parse_topic_class(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const auto right = colon == std::string_view::npos ? std::nullopt : topic_right_from_text(text.substr(colon + 1));
  if (!right) {
    return base::fail(base::Errc::kInvalidArgument,
                      fmt::format("topic class '{}' must look like user/echo:all, with pub, sub or all after the colon",
                                  base::printable(text)));
  }
  TopicClass topic_class{std::string(text.substr(0, colon)), *right};
  if (auto ok = check_topic_class(topic_class); !ok) return tl::unexpected(ok.error());
  return topic_class;
}

base::Result<> check_account_name(std::string_view name) {
  if (name.starts_with(kTicketNamePrefix)) {
    return invalid(fmt::format("account name '{}': names that begin with '{}' are those of tickets",
                               base::printable(name, 80), kTicketNamePrefix));
  }
  const auto forbidden = [](char c) { return (c >= 0 && c < ' ') || c == 0x7f || c == '&' || c == '|'; };
  const bool fits = !name.empty() && base::is_utf8(name) && base::utf8_length(name) <= kAccountNameCharactersMax &&
                    std::ranges::none_of(name, forbidden);
  if (fits) return {};
  return invalid(
      fmt::format("account name '{}' must be 1 to {} characters without '&', which marks a device's user "
                  "name, without '|' and without control characters",
                  base::printable(name, 80), kAccountNameCharactersMax));
}

base::Result<> check_account_permissions(const std::vector<AccountPermission>& permissions) {
  if (permissions.size() > kAccountPermissionsMax) {
    return base::fail(base::Errc::kLimitExceeded,
                      fmt::format("an account has at most {} permissions", kAccountPermissionsMax));
  }
  for (std::size_t i = 0; i < permissions.size(); ++i) {
    const std::string& filter = permissions[i].filter;
    if (filter.empty() || filter.size() > 65'535 || !base::is_utf8(filter) || filter.find('\0') != filter.npos) {
      return invalid(fmt::format("'{}' is no topic filter", base::printable(filter, 160)));
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (permissions[i] == permissions[j]) {
        return invalid(fmt::format("permission '{}' is given twice", base::printable(to_text(permissions[i]), 160)));
      }
    }
  }
  return {};
}

base::Result<AccountPermission> parse_account_permission(std::string_view text) {
  const std::size_t colon = text.find(':');
  const auto right = colon == std::string_view::npos ? std::nullopt : account_right_from_text(text.substr(0, colon));
  if (!right || colon + 1 == text.size()) {
    return base::fail(
        base::Errc::kInvalidArgument,
        fmt::format("permission '{}' must look like subscribe:/+/+/user/#, with publish, subscribe or all "
                    "before the colon and a topic filter after it",
                    base::printable(text, 160)));
  }
  return AccountPermission{*right, std::string(text.substr(colon + 1))};
}

std::string to_text(const AccountPermission& permission) {
  return fmt::format("{}:{}", to_text(permission.right), permission.filter);
}

std::string new_device_name(base::Random& random) {
  return crypto::random_alphanumeric(random, 20);
}

std::string new_iot_id(base::Random& random, base::WallMs now_ms) {
  constexpr std::string_view kDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  std::string id(8, '0');
  auto rest = static_cast<std::uint64_t>(std::max<base::WallMs>(now_ms, 0));
  for (auto digit = id.rbegin(); digit != id.rend(); ++digit, rest /= kDigits.size()) {
    *digit = kDigits[rest % kDigits.size()];
  }
  return id + crypto::random_alphanumeric(random, 22);
}

}  // namespace mooring::registry
