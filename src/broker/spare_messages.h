// SpareMessages: memory of messages that nobody holds any more, lent to those that are made next: what was freed last
// goes first, for it is in the processor's cache still. One loop.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "mqtt/message.h"

namespace mooring::broker {

class SpareMessages {
 public:
  static constexpr std::size_t kMost = 1024;  // of at most 1 KiB each (Message::is_small)

  // Kept if nobody else holds it and it is small.
  void give(mqtt::MessageRef message) {
    if (message.is_only() && message->is_small() && messages_.size() < kMost) messages_.push_back(std::move(message));
  }
  // For Message::create_in(); null: there is none.
  mqtt::MessageRef take() {
    if (messages_.empty()) return {};
    mqtt::MessageRef last = std::move(messages_.back());
    messages_.pop_back();
    return last;
  }

 private:
  std::vector<mqtt::MessageRef> messages_;
};

}  // namespace mooring::broker
