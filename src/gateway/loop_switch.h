// LoopSwitch: the way of a connection from one loop's gateway to another's. Wired in server.
#pragma once

#include <memory>

#include "session/ports.h"

namespace mooring::gateway {

class Connection;

class LoopSwitch {
 public:
  virtual ~LoopSwitch() = default;
  // Any loop's thread. Has Gateway::adopt() called on `loop`, later. Should that loop have ended for good, the
  // connection is destroyed with the loop: its socket closes and its place in the budget is given back.
  virtual void send(session::LoopId loop, std::unique_ptr<Connection> connection) = 0;
};

}  // namespace mooring::gateway
