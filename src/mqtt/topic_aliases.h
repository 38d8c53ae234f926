// TopicAliases: the topics that the other side has given numbers to (MQTT 5 section 3.3.2.3.4). Belongs to one
// connection. Holds as many topics as the largest alias used, so at most the announced maximum, each up to 65,535
// bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mooring::mqtt {

class TopicAliases {
 public:
  // `alias` is at least 1. Naming the topic it stands for already costs a comparison.
  void set(std::uint16_t alias, std::string_view topic);
  // Empty if there is none; otherwise valid until the alias is set to another topic.
  std::string_view find(std::uint16_t alias) const;
  std::size_t memory_bytes() const;

 private:
  std::vector<std::string> topics_;  // index: alias - 1
};

}  // namespace mooring::mqtt
