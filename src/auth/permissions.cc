#include "auth/permissions.h"

#include <algorithm>

#include "auth/client_id.h"
#include "base/text.h"

namespace mooring::auth {
namespace {

using base::Errc;
using base::fail;

bool includes(TopicRight held, TopicRight wanted) {
  return (static_cast<unsigned>(held) & static_cast<unsigned>(wanted)) == static_cast<unsigned>(wanted);
}

// Walks the levels of a topic or filter. "a//b" has an empty level, "" is one empty level.
class Levels {
 public:
  explicit Levels(std::string_view text) : rest_(text) {}
  bool more() const { return more_; }
  std::string_view next() {
    const std::size_t slash = rest_.find('/');
    const std::string_view level = rest_.substr(0, slash);
    more_ = slash != std::string_view::npos;
    rest_ = more_ ? rest_.substr(slash + 1) : std::string_view();
    return level;
  }

 private:
  std::string_view rest_;
  bool more_ = true;
};

std::string_view expand(std::string_view level, const base::DeviceKeyView* device) {
  if (device == nullptr || !level.starts_with('$')) return level;
  return level == "${pk}" ? device->product_key : level == "${dn}" ? device->device_name : level;
}

// Whether everything that `subject` (a topic, or a filter with all it matches) stands for lies inside `pattern`.
bool covers(std::string_view pattern, std::string_view subject, const base::DeviceKeyView* device) {
  Levels outer(pattern);
  Levels inner(subject);
  while (outer.more()) {
    const std::string_view allowed = outer.next();
    if (allowed == "#") return true;
    if (!inner.more()) return false;
    const std::string_view level = inner.next();
    if (level == "#") return false;
    if (allowed != "+" && expand(allowed, device) != level) return false;
  }
  return !inner.more();
}

struct SystemTree {
  std::string_view pattern;
  TopicRight right;
  std::uint32_t needs_ext = 0;  // bit that the connection must have announced
};

// The table of section 13 without /ext/session, whose rights hang on the ending.
constexpr SystemTree kSystemTrees[] = {
    {"/sys/${pk}/${dn}/thing/#", TopicRight::kAll},
    {"/sys/${pk}/${dn}/_thing/#", TopicRight::kAll},
    {"/sys/${pk}/${dn}/rrpc/request/+", TopicRight::kSubscribe},
    {"/sys/${pk}/${dn}/rrpc/response/+", TopicRight::kPublish},
    {"/sys/${pk}/${dn}/app/#", TopicRight::kAll},
    {"/sys/${pk}/${dn}/broadcast/request/+", TopicRight::kSubscribe},
    {"/sys/${pk}/${dn}/awss/device/switchap", TopicRight::kSubscribe},  // section 6.6
    {"/ext/ntp/${pk}/${dn}/request", TopicRight::kPublish},
    {"/ext/ntp/${pk}/${dn}/response", TopicRight::kSubscribe},
    {"/ext/error/${pk}/${dn}", TopicRight::kSubscribe},
    {"/ext/notify", TopicRight::kSubscribe},
    {"/ext/rrpc/+/${pk}/${dn}/#", TopicRight::kAll, kExtCustomRrpc},
    {"/ext/rrpc/+//${pk}/${dn}/#", TopicRight::kAll, kExtCustomRrpc},  // the topic put in with its leading slash
    {"/shadow/update/${pk}/${dn}", TopicRight::kPublish},
    {"/shadow/get/${pk}/${dn}", TopicRight::kSubscribe},
    {"/ota/device/inform/${pk}/${dn}", TopicRight::kPublish},
    {"/ota/device/progress/${pk}/${dn}", TopicRight::kPublish},
    {"/ota/device/request/${pk}/${dn}", TopicRight::kAll},
    {"/ota/device/upgrade/${pk}/${dn}", TopicRight::kSubscribe},
    {"/broadcast/${pk}/#", TopicRight::kSubscribe},
};

constexpr std::string_view kSessionTree = "/ext/session/${pk}/${dn}/#";

struct DefaultClass {
  std::string_view suffix;
  TopicRight right;
};
constexpr DefaultClass kDefaultClasses[] = {
    {"user/update", TopicRight::kPublish},  {"user/update/error", TopicRight::kPublish},
    {"user/get", TopicRight::kSubscribe},   {"update", TopicRight::kPublish},
    {"update/error", TopicRight::kPublish}, {"get", TopicRight::kSubscribe},
};
constexpr std::string_view kWholeUserTree = "user/#";

bool in_system_tree(std::string_view subject, TopicRight right, const base::DeviceKeyView& device,
                    std::uint32_t ext_bits) {
  for (const SystemTree& tree : kSystemTrees) {
    if (includes(tree.right, right) && (ext_bits & tree.needs_ext) == tree.needs_ext &&
        covers(tree.pattern, subject, &device)) {
      return true;
    }
  }
  if (!covers(kSessionTree, subject, &device)) return false;
  const bool is_reply = subject.ends_with("_reply");
  return right == TopicRight::kSubscribe ? is_reply : !is_reply;
}

// What follows "/${pk}/${dn}/", or nothing when the subject lies elsewhere.
std::optional<std::string_view> own_suffix(std::string_view subject, const base::DeviceKeyView& device) {
  for (const std::string_view level : {device.product_key, device.device_name}) {
    if (!subject.starts_with('/')) return std::nullopt;
    subject.remove_prefix(1);
    if (!subject.starts_with(level)) return std::nullopt;
    subject.remove_prefix(level.size());
  }
  if (!subject.starts_with('/')) return std::nullopt;
  return subject.substr(1);
}

bool is_level(std::string_view level) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !level.empty() && std::all_of(level.begin(), level.end(), fits);
}

std::string quoted(std::string_view text) {
  return "'" + base::printable(text, kMaxTopicBytes) + "'";
}

}  // namespace

std::optional<TopicRight> parse_topic_right(std::string_view word) {
  if (word == "pub") return TopicRight::kPublish;
  if (word == "sub") return TopicRight::kSubscribe;
  if (word == "all") return TopicRight::kAll;
  return std::nullopt;
}

std::string_view name(TopicRight right) {
  switch (right) {
    case TopicRight::kPublish:
      return "pub";
    case TopicRight::kSubscribe:
      return "sub";
    case TopicRight::kAll:
      return "all";
  }
  return {};
}

base::Result<> check_topic_class(std::string_view suffix, TopicRight right) {
  const auto wrong = [suffix](std::string_view why) {
    return fail(Errc::kInvalidArgument, "topic class " + quoted(suffix) + ": " + std::string(why));
  };
  // "/pk/dn/" in front has three slashes and, with the shortest names, seven bytes or more.
  constexpr std::size_t kPrefixSlashes = 3;
  constexpr std::size_t kPrefixBytes = 3 + 4;
  if (suffix.size() + kPrefixBytes > kMaxTopicBytes) return wrong("the topic would be longer than 128 bytes");
  const auto slashes = static_cast<std::size_t>(std::count(suffix.begin(), suffix.end(), '/'));
  if (slashes + kPrefixSlashes > kMaxCustomTopicSlashes) return wrong("the topic would have more than 7 slashes");
  Levels levels(suffix);
  bool first = true;
  while (levels.more()) {
    const std::string_view level = levels.next();
    const bool wildcard = level == "+" || level == "#";
    if (!wildcard && !is_level(level)) return wrong("a level is made of letters, digits and '_', and is not empty");
    if (first && level == "thing") return wrong("the level 'thing' belongs to the platform");
    if (wildcard && first) return wrong("the first level cannot be a wildcard");
    if (wildcard && right != TopicRight::kSubscribe) return wrong("wildcards need the right 'sub'");
    if (level == "#" && levels.more()) return wrong("'#' can only be the last level");
    first = false;
  }
  return {};
}

base::Result<TopicClass> parse_topic_class(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const auto right = colon == std::string_view::npos ? std::nullopt : parse_topic_right(text.substr(colon + 1));
  if (!right) {
    return fail(Errc::kInvalidArgument, "topic class " + quoted(text) +
                                            ": expected SUFFIX:RIGHT with the right pub, sub or all, "
                                            "for example user/echo:all");
  }
  const std::string_view suffix = text.substr(0, colon);
  if (auto checked = check_topic_class(suffix, *right); !checked) return tl::unexpected(checked.error());
  return TopicClass{std::string(suffix), *right};
}

base::Result<std::shared_ptr<const ProductTopicClasses>> ProductTopicClasses::compile(
    std::span<const TopicClass> classes) {
  if (classes.empty()) return defaults();
  if (classes.size() > kMaxTopicClasses) {
    return fail(Errc::kLimitExceeded, "a product has at most " + std::to_string(kMaxTopicClasses) + " topic classes");
  }
  for (const TopicClass& topic_class : classes) {
    auto checked = check_topic_class(topic_class.suffix, topic_class.right);
    if (!checked) return tl::unexpected(checked.error());
  }
  return std::shared_ptr<const ProductTopicClasses>(new ProductTopicClasses(classes));
}

std::shared_ptr<const ProductTopicClasses> ProductTopicClasses::defaults() {
  static const std::shared_ptr<const ProductTopicClasses> instance(new ProductTopicClasses({}));
  return instance;
}

bool ProductTopicClasses::permits(std::string_view suffix, TopicRight right) const {
  for (const DefaultClass& topic_class : kDefaultClasses) {
    if (includes(topic_class.right, right) && topic_class.suffix == suffix) return true;
  }
  for (const TopicClass& topic_class : own_) {
    if (includes(topic_class.right, right) && covers(topic_class.suffix, suffix, nullptr)) return true;
  }
  return right == TopicRight::kSubscribe && suffix == kWholeUserTree;
}

Permission DevicePermissions::check(std::string_view subject, TopicRight right) const {
  if (limits_.max_bytes != 0 && subject.size() > limits_.max_bytes) return Permission::kTooLong;
  if (const auto suffix = own_suffix(subject, device_)) {
    const auto slashes = static_cast<std::size_t>(std::count(subject.begin(), subject.end(), '/'));
    if (limits_.max_custom_slashes != 0 && slashes > limits_.max_custom_slashes) return Permission::kTooLong;
    if (classes_.permits(*suffix, right)) return Permission::kAllowed;
  }
  return in_system_tree(subject, right, device_, ext_bits_) ? Permission::kAllowed : Permission::kNotPermitted;
}

Permission DevicePermissions::may_publish(std::string_view topic) const {
  if (topic.find_first_of("+#") != std::string_view::npos) return Permission::kNotPermitted;
  return check(topic, TopicRight::kPublish);
}

Permission DevicePermissions::may_subscribe(std::string_view filter) const {
  return check(filter, TopicRight::kSubscribe);
}

}  // namespace mooring::auth
