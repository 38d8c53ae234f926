// Retained messages: kept when they are published, and replayed to new subscriptions as fast as the client takes them.
#include <algorithm>

#include "base/log.h"
#include "broker/broker.h"

namespace mooring::broker {
namespace {

constexpr std::size_t kPageMessages = 32;
constexpr std::size_t kPageVisits = 1000;  // topics looked at, about a millisecond
constexpr std::uint64_t kMaxWaiting = 64;  // of QoS 1 and 2: a replay does not fill the session's queue

}  // namespace

// Before the message is routed: whoever subscribes meanwhile gets it one way or the other.
void Broker::retain(Flow& flow) {
  const auto change = parts_.retained.set(flow.message, [&](const mqtt::MessageRef& message, bool removed) {
    routing::ReceiptRef receipt;
    if (flow.is_awaited()) {
      receipt_of(flow).expect();
      receipt = flow.receipt;
    }
    parts_.store.save_retained(message, removed, parts_.executor, [receipt](base::Result<> saved) {
      if (!saved) base::log_error("broker", "a retained message was not stored: {}", saved.error().message);
      if (!receipt) return;
      if (!saved) receipt->count({0, 0, true});
      receipt->settle();
    });
  });
  if (change == routing::RetainedMessages::Change::kFull) {
    base::log_warn("broker",
                   "a retained message was refused: the store for them is full (mqtt.max_retained_messages, "
                   "mqtt.max_retained_bytes)");
    flow.totals.refused += 1;
  } else if (change != routing::RetainedMessages::Change::kNothing) {
    flow.totals.receivers += 1;
  }
}

// A page at a time, and others get their turn between two pages.
void Broker::pump_replays(Client& client) {
  if (client.replay_posted || client.replays.empty()) return;
  const auto is_full = [&] {
    return client.sink->congested() || client.session->session->queued_count() >= kMaxWaiting;
  };
  if (is_full()) return;  // goes on with resume_delivery()
  RetainedReplay& replay = client.replays.front();
  const session::SubscriptionRecord& subscription = replay.subscription;
  std::string after = replay.after;
  retained_page_.clear();
  const bool more = parts_.retained.match_some(subscription.filter, after, kPageMessages, kPageVisits,
                                               parts_.clock.wall_ms(), retained_page_);
  for (const mqtt::MessageRef& message : retained_page_) {
    const bool keeps_place = std::min(message->qos(), subscription.qos) > 0;
    if (is_full() || (keeps_place && !client.session->session->accepts(message->memory_bytes()))) {
      retained_page_.clear();
      return;
    }
    replay.after = message->topic();
    session::Delivery delivery{message};
    delivery.qos = std::min(message->qos(), subscription.qos);
    delivery.retain = true;  // [MQTT-3.3.1-8]
    if (subscription.subscription_id != 0) delivery.subscription_ids = {&subscription.subscription_id, 1};
    Flow flow;
    flow.message = message;
    deliver(*client.session, flow, delivery);
  }
  retained_page_.clear();
  if (more) {
    replay.after = std::move(after);
  } else {
    client.replays.pop();
  }
  if (client.replays.empty()) return;
  client.replay_posted = true;
  parts_.executor.post([this, weak = std::weak_ptr<Client>(client.session->client)] {
    const std::shared_ptr<Client> still = weak.lock();
    if (still == nullptr) return;
    still->replay_posted = false;
    if (still->connected() && still->session != nullptr) pump_replays(*still);
  });
}

}  // namespace mooring::broker
