// TurnEndBus: a Bus that flushes itself at the end of the loop turn in which it was used, so that whatever a turn sends
// to another loop leaves in one batch with one wake-up, and before the bytes that the turn sends to clients.
#pragma once

#include <utility>

#include "net/loop.h"
#include "routing/bus.h"

namespace mooring::server {

class TurnEndBus final : public routing::Bus, public net::LoopClient {
 public:
  TurnEndBus(net::Loop& loop, routing::Bus& bus) : loop_(loop), bus_(bus) {}

  void add_interest(std::string_view filter) override { used().add_interest(filter); }
  void drop_interest(std::string_view filter) override { used().drop_interest(filter); }
  void set_share(std::string_view share, routing::ShareCount count) override { used().set_share(share, count); }
  void publish(const mqtt::MessageRef& message, const routing::ReceiptRef& receipt,
               std::span<const routing::LoopId> targets) override {
    used().publish(message, receipt, targets);
  }
  void publish_to_share(const mqtt::MessageRef& message, const routing::ReceiptRef& receipt, routing::LoopId target,
                        std::string_view share, unsigned hops) override {
    used().publish_to_share(message, receipt, target, share, hops);
  }
  void sync(base::UniqueFunction<void()> done) override { used().sync(std::move(done)); }
  void flush() override { bus_.flush(); }

  void on_ready(std::uint32_t) override {}
  void on_turn_end() override { bus_.flush(); }

 private:
  routing::Bus& used() {
    loop_.call_first_at_turn_end(*this);
    return bus_;
  }

  net::Loop& loop_;
  routing::Bus& bus_;
};

}  // namespace mooring::server
