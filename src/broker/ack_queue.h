// AckQueue: the acknowledgements a client waits for, in the order of its PUBLISH packets (MQTT 4.6): one that is ready
// before those ahead of it waits for them. Bounded by the client's window: the broker asks for size().
#pragma once

#include <cstdint>

#include "mqtt/packet.h"
#include "session/ring.h"

namespace mooring::broker {

class AckQueue {
 public:
  struct Ack {
    std::uint64_t number = 0;  // names it; grows
    mqtt::PacketType type = mqtt::PacketType::kPuback;
    std::uint16_t packet_id = 0;
    bool decided = false;
    bool withdrawn = false;  // nothing is sent
    mqtt::ReasonCode reason = mqtt::ReasonCode::kSuccess;
  };

  std::uint64_t open(mqtt::PacketType type, std::uint16_t packet_id) {
    Ack& ack = acks_.emplace_back();
    ack.number = next_;
    ack.type = type;
    ack.packet_id = packet_id;
    return next_++;
  }

  void decide(std::uint64_t number, mqtt::ReasonCode reason) {
    if (Ack* ack = find(number)) {
      ack->decided = true;
      ack->reason = reason;
    }
  }
  // It will not be acknowledged, and those behind it need not wait.
  void withdraw(std::uint64_t number) {
    if (Ack* ack = find(number)) ack->decided = ack->withdrawn = true;
  }

  // Calls `send` for everything that may go now.
  template <class Send>
  void flush(Send send) {
    while (!acks_.empty() && acks_.front().decided) {
      send(acks_.pop_front());
    }
  }

  std::size_t size() const { return acks_.size(); }
  bool empty() const { return acks_.empty(); }

 private:
  Ack* find(std::uint64_t number) {
    if (acks_.empty() || number < acks_.front().number) return nullptr;
    return &acks_[static_cast<std::size_t>(number - acks_.front().number)];
  }

  session::Ring<Ack> acks_;
  std::uint64_t next_ = 1;
};

}  // namespace mooring::broker
