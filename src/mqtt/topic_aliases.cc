#include "mqtt/topic_aliases.h"

#include "base/assert.h"

namespace mooring::mqtt {

void TopicAliases::set(std::uint16_t alias, std::string_view topic) {
  MOORING_ASSERT(alias != 0);
  if (topics_.size() < alias) topics_.resize(alias);
  std::string& kept = topics_[alias - 1U];
  if (kept == topic) return;
  std::string(topic).swap(kept);  // so that a short topic does not keep the memory of a long one
}

std::string_view TopicAliases::find(std::uint16_t alias) const {
  return alias != 0 && alias <= topics_.size() ? std::string_view(topics_[alias - 1U]) : std::string_view();
}

std::size_t TopicAliases::memory_bytes() const {
  std::size_t bytes = sizeof(*this) + topics_.capacity() * sizeof(std::string);
  for (const std::string& topic : topics_) bytes += topic.capacity();
  return bytes;
}

}  // namespace mooring::mqtt
