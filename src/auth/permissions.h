// Which topics a device may publish to and which filters it may subscribe to: connection.md section 13.
//
// Classes of a product are compiled once and shared; a device has nothing of its own. Immutable after construction, so
// any thread may ask. Asking never allocates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace mooring::auth {

inline constexpr std::size_t kMaxTopicBytes = 128;
inline constexpr std::size_t kMaxCustomTopicSlashes = 7;  // of the whole topic, "/pk/dn/" included
inline constexpr std::size_t kMaxTopicClasses = 50;       // custom ones per product

// Bounds of the topics that are used; 0 = no limit.
struct TopicLimits {
  std::uint32_t max_bytes = kMaxTopicBytes;
  std::uint32_t max_custom_slashes = kMaxCustomTopicSlashes;
};

// As seen from the device.
enum class TopicRight : std::uint8_t { kPublish = 1, kSubscribe = 2, kAll = 3 };

std::optional<TopicRight> parse_topic_right(std::string_view word);  // "pub", "sub", "all"
std::string_view name(TopicRight right);

// A custom topic of a product: `suffix` follows "/${productKey}/${deviceName}/", for example "user/+/error".
struct TopicClass {
  std::string suffix;
  TopicRight right = TopicRight::kAll;
};

// Levels of letters, digits and '_', none empty; wildcards only in classes with the right kSubscribe and not in the
// first level; '#' in the last level only; at most 128 bytes and 7 slashes with what precedes the suffix. "thing" as
// first level belongs to the platform. kInvalidArgument says which rule is broken.
base::Result<> check_topic_class(std::string_view suffix, TopicRight right);

// "user/echo:all" as the command line writes it; checked.
base::Result<TopicClass> parse_topic_class(std::string_view text);

// The default classes and a product's own. A topic has the rights of all classes that fit it.
class ProductTopicClasses {
 public:
  // Every class is checked; kLimitExceeded above kMaxTopicClasses.
  static base::Result<std::shared_ptr<const ProductTopicClasses>> compile(std::span<const TopicClass> classes);
  // The default classes alone; one shared object.
  static std::shared_ptr<const ProductTopicClasses> defaults();

  // Whether a class with the right covers all of the suffix (a topic's rest, or a filter's).
  bool permits(std::string_view suffix, TopicRight right) const;

 private:
  explicit ProductTopicClasses(std::span<const TopicClass> own) : own_(own.begin(), own.end()) {}
  std::vector<TopicClass> own_;
};

enum class Permission : std::uint8_t {
  kAllowed,
  kNotPermitted,  // publish: drop, log 9236; subscribe: 0x80, MQTT 5 0x87
  kTooLong,       // more than 128 bytes, or a custom topic with more than 7 slashes; MQTT 5 SUBACK 0x8F
};

class DevicePermissions {
 public:
  // Borrows the names of `device` and the classes, which must outlive the object: it is made to ask.
  DevicePermissions(base::DeviceKeyView device, const ProductTopicClasses& classes, std::uint32_t ext_bits,
                    TopicLimits limits = {})
      : device_(device), classes_(classes), limits_(limits), ext_bits_(ext_bits) {}

  // A topic name that the codec found valid; one with a wildcard in it is not permitted.
  Permission may_publish(std::string_view topic) const;
  // A filter that the codec found valid. Allowed when everything it can match lies inside one permitted tree; the
  // device's whole user tree "/pk/dn/user/#" is one. Automatic subscriptions (section 6.6) are the server's and not
  // asked here.
  Permission may_subscribe(std::string_view filter) const;

 private:
  Permission check(std::string_view subject, TopicRight right) const;

  base::DeviceKeyView device_;
  const ProductTopicClasses& classes_;
  TopicLimits limits_;
  std::uint32_t ext_bits_;
};

}  // namespace mooring::auth
