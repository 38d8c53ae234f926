// TurnEndBus: a Bus that flushes itself at the end of the loop turn in which it was used, so that whatever a turn sends
// to another loop leaves in one batch with one wake-up.
#pragma once

#include "net/loop.h"
#include "routing/bus.h"

namespace mooring::server {

class TurnEndBus final : public routing::Bus, public net::LoopClient {
 public:
  TurnEndBus(net::Loop& loop, routing::Bus& bus) : loop_(loop), bus_(bus) {}

  void add_interest(std::string_view filter) override { used().add_interest(filter); }
  void drop_interest(std::string_view filter) override { used().drop_interest(filter); }
  void add_device(const base::DeviceKey& device) override { used().add_device(device); }
  void drop_device(const base::DeviceKey& device) override { used().drop_device(device); }
  void publish(const mqtt::MessageRef& message, std::span<const routing::LoopId> targets) override {
    used().publish(message, targets);
  }
  void flush() override { bus_.flush(); }

  void on_ready(std::uint32_t) override {}
  void on_turn_end() override { bus_.flush(); }

 private:
  routing::Bus& used() {
    loop_.call_at_turn_end(*this);
    return bus_;
  }

  net::Loop& loop_;
  routing::Bus& bus_;
};

}  // namespace mooring::server
