// OutgoingAliases: the topic aliases of one connection towards its client (MQTT 5 section 3.3.2.3.4). The first topics
// get one and keep it: a device hears few topics again and again. Memory is bounded by kMaxAliases topics of at most
// kMaxTopicBytes; nothing is held for a client that allows no aliases.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mooring::gateway {

class OutgoingAliases {
 public:
  static constexpr std::uint16_t kMaxAliases = 32;
  static constexpr std::size_t kMinTopicBytes = 4;  // an alias costs three bytes itself
  static constexpr std::size_t kMaxTopicBytes = 1024;

  // What the client's Topic Alias Maximum allows.
  void set_maximum(std::uint16_t maximum) { maximum_ = std::min(maximum, kMaxAliases); }

  struct Alias {
    std::uint16_t number = 0;  // 0: none for this topic
    bool known = false;        // the client has it already: the topic is left out
  };
  Alias of(std::string_view topic) {
    if (maximum_ == 0 || topic.size() < kMinTopicBytes || topic.size() > kMaxTopicBytes) return {};
    for (std::size_t i = 0; i < topics_.size(); ++i) {
      if (topics_[i] == topic) return {static_cast<std::uint16_t>(i + 1), true};
    }
    if (topics_.size() == maximum_) return {};
    topics_.emplace_back(topic);
    return {static_cast<std::uint16_t>(topics_.size()), false};
  }

 private:
  std::vector<std::string> topics_;  // the alias is the place, counted from 1
  std::uint16_t maximum_ = 0;
};

}  // namespace mooring::gateway
