#include "cluster/local_bus.h"

#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <variant>

#include "base/assert.h"

namespace mooring::cluster {
namespace {

// A share of a receipt on its way. Lost with the message, it is settled as failed: an acknowledgement would promise
// what nobody has.
class ShareInTransit {
 public:
  explicit ShareInTransit(const routing::ReceiptRef& receipt) : receipt_(receipt) {}
  ShareInTransit(ShareInTransit&&) noexcept = default;
  ShareInTransit& operator=(ShareInTransit&& other) noexcept {
    std::swap(receipt_, other.receipt_);
    return *this;
  }
  ~ShareInTransit() {
    if (!receipt_) return;
    routing::ReceiptTotals lost;
    lost.failed = true;
    receipt_->count(lost);
    receipt_->settle();
  }
  routing::ReceiptRef arrive() { return std::exchange(receipt_, routing::ReceiptRef()); }

 private:
  routing::ReceiptRef receipt_;
};

struct PlainMessage {
  mqtt::MessageRef message;
  ShareInTransit receipt;
};

struct ShareMessage {
  mqtt::MessageRef message;
  ShareInTransit receipt;
  std::string share;
  unsigned hops;
};

struct InterestChange {
  std::string filter;
  bool added;
};

struct ShareChange {
  std::string share;
  routing::ShareCount count;
};

// Where sync() of a loop is answered. Tasks that are dropped late may outlive the cluster, so they share it.
struct Asker {
  base::Executor* executor = nullptr;
  std::function<void(std::uint64_t number)> answer;  // called on the executor
  std::atomic<bool> attached{false};                 // otherwise nobody waits, and the others may be gone
};

// Lies behind everything that was given before a sync(), one reference in each batch. The answer goes out when the last
// one ends, be that in a task that is never run.
class SyncMark {
 public:
  SyncMark(std::shared_ptr<Asker> asker, std::uint64_t number) : asker_(std::move(asker)), number_(number) {}
  SyncMark(const SyncMark&) = delete;
  SyncMark& operator=(const SyncMark&) = delete;
  ~SyncMark() {
    if (!asker_->attached.load(std::memory_order_acquire)) return;
    asker_->executor->post([asker = asker_, number = number_] { asker->answer(number); });
  }

 private:
  std::shared_ptr<Asker> asker_;
  std::uint64_t number_;
};

template <class Change>
using Shared = std::shared_ptr<const Change>;

// One thing on its way. Changes are rare, and one object serves all destinations.
using Item = std::variant<PlainMessage, std::unique_ptr<ShareMessage>, Shared<InterestChange>, Shared<ShareChange>,
                          Shared<SyncMark>>;

// Hands an item to a listener.
struct Delivery {
  routing::LoopId from;
  routing::BusListener& listener;
  LocalCluster::Arrivals& arrivals;

  void operator()(PlainMessage& item) const {
    ++arrivals.messages;
    listener.on_remote_message(item.message, item.receipt.arrive());
  }
  void operator()(const std::unique_ptr<ShareMessage>& item) const {
    ++arrivals.messages;
    listener.on_remote_share_message(item->message, item->receipt.arrive(), item->share, item->hops);
  }
  void operator()(const Shared<InterestChange>& item) const {
    listener.on_remote_interest(from, item->filter, item->added);
  }
  void operator()(const Shared<ShareChange>& item) const { listener.on_remote_share(from, item->share, item->count); }
  void operator()(const Shared<SyncMark>&) const {}  // arriving is enough
};

}  // namespace

class LocalCluster::LocalBus final : public routing::Bus {
 public:
  LocalBus(LocalCluster& cluster, routing::LoopId self)
      : cluster_(cluster), self_(self), batches_(cluster.loop_count()) {}

  void add_interest(std::string_view filter) override { tell(InterestChange{std::string(filter), true}); }
  void drop_interest(std::string_view filter) override { tell(InterestChange{std::string(filter), false}); }
  void set_share(std::string_view share, routing::ShareCount count) override {
    tell(ShareChange{std::string(share), count});
  }

  void publish(const mqtt::MessageRef& message, const routing::ReceiptRef& receipt,
               std::span<const routing::LoopId> targets) override {
    for (const routing::LoopId target : targets) add(target, PlainMessage{message, ShareInTransit(receipt)});
  }

  void publish_to_share(const mqtt::MessageRef& message, const routing::ReceiptRef& receipt, routing::LoopId target,
                        std::string_view share, unsigned hops) override {
    add(target,
        std::make_unique<ShareMessage>(ShareMessage{message, ShareInTransit(receipt), std::string(share), hops}));
  }

  void sync(base::UniqueFunction<void()> done) override {
    if (!asker_->attached.load(std::memory_order_relaxed)) return;
    waiting_.emplace(++last_sync_, std::move(done));
    // With no other loop, this is the only reference.
    tell_all(std::make_shared<const SyncMark>(asker_, last_sync_));
  }

  void flush() override {
    if (!pending_) return;
    pending_ = false;
    for (std::size_t loop = 0; loop < batches_.size(); ++loop) send(static_cast<routing::LoopId>(loop));
  }

  void attach(base::Executor& executor) {
    asker_->executor = &executor;
    asker_->answer = [this](std::uint64_t number) { answer(number); };
    asker_->attached.store(true, std::memory_order_release);
  }

  void detach() {
    asker_->attached.store(false, std::memory_order_release);
    pending_ = false;
    for (std::vector<Item>& batch : batches_) std::vector<Item>().swap(batch);
    Waiting().swap(waiting_);
  }

 private:
  template <class Change>
  void tell(Change change) {
    if (batches_.size() > 1) tell_all(std::make_shared<const Change>(std::move(change)));
  }

  template <class Change>
  void tell_all(const Shared<Change>& change) {
    for (std::size_t loop = 0; loop < batches_.size(); ++loop) {
      if (loop != self_) add(static_cast<routing::LoopId>(loop), change);
    }
  }

  void add(routing::LoopId target, Item item) {
    MOORING_ASSERT(target != self_ && target < batches_.size());
    pending_ = true;
    std::vector<Item>& batch = batches_[target];
    batch.push_back(std::move(item));
    if (batch.size() >= kMaxBatchItems) send(target);
  }

  void send(routing::LoopId target);

  void answer(std::uint64_t number) {
    const auto found = waiting_.find(number);
    if (found == waiting_.end()) return;  // detached meanwhile
    base::UniqueFunction<void()> done = std::move(found->second);
    waiting_.erase(found);
    done();
  }

  using Waiting = std::map<std::uint64_t, base::UniqueFunction<void()>>;

  LocalCluster& cluster_;
  const routing::LoopId self_;
  bool pending_ = false;
  std::vector<std::vector<Item>> batches_;  // by destination
  Waiting waiting_;                         // what sync() was given, by number
  std::uint64_t last_sync_ = 0;
  const std::shared_ptr<Asker> asker_ = std::make_shared<Asker>();
};

struct LocalCluster::Port {
  Port(LocalCluster& cluster, routing::LoopId loop) : bus(cluster, loop) {}
  base::Executor* executor = nullptr;
  routing::BusListener* listener = nullptr;  // read on the loop of this port only, once attached
  Arrivals arrivals;                         // likewise
  LocalBus bus;
};

void LocalCluster::LocalBus::send(routing::LoopId target) {
  if (batches_[target].empty()) return;
  std::vector<Item> batch;
  batch.swap(batches_[target]);
  Port* port = cluster_.ports_[target].get();
  MOORING_ASSERT(port->executor != nullptr);
  port->executor->post([port, from = self_, items = std::move(batch)]() mutable {
    ++port->arrivals.batches;
    for (Item& waiting : items) {
      Item item = std::move(waiting);  // gone before the next one is taken up
      if (port->listener != nullptr) std::visit(Delivery{from, *port->listener, port->arrivals}, item);
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

LocalCluster::~LocalCluster() {
  // What is dropped later, with the tasks of a loop, must ask nobody.
  for (std::size_t loop = 0; loop < ports_.size(); ++loop) detach(static_cast<routing::LoopId>(loop));
}

void LocalCluster::attach(routing::LoopId loop, base::Executor& executor, routing::BusListener& listener) {
  Port& port = *ports_.at(loop);
  MOORING_ASSERT(port.executor == nullptr);
  port.executor = &executor;
  port.listener = &listener;
  port.bus.attach(executor);
}

void LocalCluster::detach(routing::LoopId loop) {
  Port& port = *ports_.at(loop);
  port.listener = nullptr;
  port.bus.detach();
}

routing::Bus& LocalCluster::bus(routing::LoopId loop) {
  return ports_.at(loop)->bus;
}

const LocalCluster::Arrivals& LocalCluster::arrivals(routing::LoopId loop) const {
  return ports_.at(loop)->arrivals;
}

}  // namespace mooring::cluster
