// Bus: how a message and an interest leave this loop. One implementation joins the loops of one process
// (cluster/local_bus.h); another will join machines.
//
// Each loop has its own Bus object, used on that loop only. Order from one loop to another is kept, over all calls.
// What is given during a loop turn is collected and handed over in one batch per destination when flush() is called at
// its end.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/unique_function.h"
#include "mqtt/message.h"
#include "routing/receipt.h"

namespace mooring::routing {

using LoopId = std::uint16_t;

// Members of a shared subscription on one loop.
struct ShareCount {
  std::uint32_t online = 0;
  std::uint32_t all = 0;  // with those whose session waits for them
  bool operator==(const ShareCount&) const = default;
};

// What arrives at a loop from the others. Implemented by broker::Broker.
class BusListener {
 public:
  virtual ~BusListener() = default;
  // A message that matches an interest of this loop, or belongs to a device whose home this is: route it to local
  // sessions only. The receipt is null with QoS 0.
  virtual void on_remote_message(const mqtt::MessageRef& message, ReceiptRef receipt) = 0;
  // A message for one member of a shared subscription, which this loop has been chosen to find.
  // `share` is the whole filter, "$share/group/filter"; `hops`: how many loops have passed it on, this one included.
  virtual void on_remote_share_message(const mqtt::MessageRef& message, ReceiptRef receipt, std::string_view share,
                                       unsigned hops) = 0;
  // Another loop has, or no longer has, subscribers for `filter` that are not a device's own subscriptions.
  virtual void on_remote_interest(LoopId loop, std::string_view filter, bool added) = 0;
  // How many members of a shared subscription another loop has now.
  virtual void on_remote_share(LoopId loop, std::string_view share, ShareCount count) = 0;
};

class Bus {
 public:
  virtual ~Bus() = default;
  virtual void add_interest(std::string_view filter) = 0;
  virtual void drop_interest(std::string_view filter) = 0;
  virtual void set_share(std::string_view share, ShareCount count) = 0;
  // To other loops; never to the caller's own. Each target at most once. The caller has added one share of the receipt
  // for every target (Receipt::expect()); a share that is lost on the way is settled as failed.
  virtual void publish(const mqtt::MessageRef& message, const ReceiptRef& receipt, std::span<const LoopId> targets) = 0;
  virtual void publish_to_share(const mqtt::MessageRef& message, const ReceiptRef& receipt, LoopId target,
                                std::string_view share, unsigned hops) = 0;
  // `done` is called on this loop, later, when every other loop has taken in what this one gave before the call, or has
  // gone away. It leaves with the next flush().
  virtual void sync(base::UniqueFunction<void()> done) = 0;
  // Hands over what was collected; called at the end of a turn, and before anything whose order against these
  // messages matters.
  virtual void flush() = 0;
};

}  // namespace mooring::routing
