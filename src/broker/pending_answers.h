// SUBACK and UNSUBACK that wait: private to the broker.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "broker/broker.h"
#include "broker/replay_queue.h"

namespace mooring::broker {

// The answer to a SUBSCRIBE waits until the subscriptions are stored, every loop knows of them, and the client's
// dependents have answered for theirs.
struct Broker::PendingSuback {
  std::weak_ptr<Client> client;
  std::uint16_t packet_id = 0;
  std::vector<mqtt::ReasonCode> codes;
  std::vector<bool> of_dependent;  // which codes are not the client's own
  std::vector<RetainedReplay> replays;
  unsigned waits = 1;  // the caller's own
  bool stored = true;  // the client's own ones
  bool holds_input = false;
};

// Likewise.
struct Broker::PendingUnsuback {
  std::weak_ptr<Client> client;
  std::uint16_t packet_id = 0;
  std::vector<mqtt::ReasonCode> codes;
  unsigned waits = 1;
  bool holds_input = false;
};

}  // namespace mooring::broker
