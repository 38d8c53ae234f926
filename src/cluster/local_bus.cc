#include "cluster/local_bus.h"

#include <string>
#include <utility>

#include "base/assert.h"

namespace mooring::cluster {
namespace {

// A change of what a loop wants. Rare; shared by the batches of all destinations.
struct Change {
  enum class Kind : std::uint8_t { kInterest, kDevice };
  Kind kind;
  bool added;
  std::string filter;
  base::DeviceKey device;
};

// One thing on its way: a message, or else a change.
struct Item {
  mqtt::MessageRef message;
  std::shared_ptr<const Change> change;
};

void deliver(routing::LoopId from, const Item& item, routing::BusListener& listener) {
  if (item.message) {
    listener.on_remote_message(item.message);
  } else if (item.change->kind == Change::Kind::kInterest) {
    listener.on_remote_interest(from, item.change->filter, item.change->added);
  } else {
    listener.on_remote_device(from, item.change->device, item.change->added);
  }
}

}  // namespace

class LocalCluster::LocalBus final : public routing::Bus {
 public:
  LocalBus(LocalCluster& cluster, routing::LoopId self)
      : cluster_(cluster), self_(self), batches_(cluster.loop_count()) {}

  void add_interest(std::string_view filter) override { tell_interest(filter, true); }
  void drop_interest(std::string_view filter) override { tell_interest(filter, false); }
  void add_device(const base::DeviceKey& device) override { tell({Change::Kind::kDevice, true, {}, device}); }
  void drop_device(const base::DeviceKey& device) override { tell({Change::Kind::kDevice, false, {}, device}); }

  void publish(const mqtt::MessageRef& message, std::span<const routing::LoopId> targets) override {
    for (const routing::LoopId target : targets) {
      MOORING_ASSERT(target != self_ && target < batches_.size());
      add(target, Item{message, nullptr});
    }
  }

  void flush() override {
    if (!pending_) return;
    pending_ = false;
    for (std::size_t loop = 0; loop < batches_.size(); ++loop) send(static_cast<routing::LoopId>(loop));
  }

 private:
  void tell_interest(std::string_view filter, bool added) {
    tell({Change::Kind::kInterest, added, std::string(filter), {}});
  }

  void tell(Change change) {
    if (batches_.size() == 1) return;
    const auto shared = std::make_shared<const Change>(std::move(change));
    for (std::size_t loop = 0; loop < batches_.size(); ++loop) {
      if (loop != self_) add(static_cast<routing::LoopId>(loop), Item{{}, shared});
    }
  }

  void add(routing::LoopId target, Item item) {
    pending_ = true;
    std::vector<Item>& batch = batches_[target];
    batch.push_back(std::move(item));
    if (batch.size() >= kMaxBatchItems) send(target);
  }

  void send(routing::LoopId target);

  LocalCluster& cluster_;
  const routing::LoopId self_;
  bool pending_ = false;
  std::vector<std::vector<Item>> batches_;  // by destination
};

struct LocalCluster::Port {
  Port(LocalCluster& cluster, routing::LoopId loop) : bus(cluster, loop) {}
  base::Executor* executor = nullptr;
  routing::BusListener* listener = nullptr;  // read on the loop of this port only, once attached
  LocalBus bus;
};

void LocalCluster::LocalBus::send(routing::LoopId target) {
  if (batches_[target].empty()) return;
  std::vector<Item> batch;
  batch.swap(batches_[target]);
  Port* port = cluster_.ports_[target].get();
  MOORING_ASSERT(port->executor != nullptr);
  port->executor->post([port, from = self_, items = std::move(batch)] {
    for (const Item& item : items) {
      if (port->listener != nullptr) deliver(from, item, *port->listener);
    }
  });
}

LocalCluster::LocalCluster(std::size_t loops) {
  MOORING_ASSERT(loops > 0 && loops <= 65'535);
  ports_.resize(loops);
  for (std::size_t loop = 0; loop < loops; ++loop) {
    ports_[loop] = std::make_unique<Port>(*this, static_cast<routing::LoopId>(loop));
  }
}

LocalCluster::~LocalCluster() = default;

void LocalCluster::attach(routing::LoopId loop, base::Executor& executor, routing::BusListener& listener) {
  Port& port = *ports_.at(loop);
  MOORING_ASSERT(port.executor == nullptr);
  port.executor = &executor;
  port.listener = &listener;
}

void LocalCluster::detach(routing::LoopId loop) {
  ports_.at(loop)->listener = nullptr;
}

routing::Bus& LocalCluster::bus(routing::LoopId loop) {
  return ports_.at(loop)->bus;
}

}  // namespace mooring::cluster
