// The way of a message: rate, permission and route (routes.cc), sessions, sinks.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "broker/broker.h"
#include "broker/log_lines.h"
#include "broker/publish_receipt.h"
#include "mqtt/property_block.h"
#include "mqtt/topic.h"
#include "routing/device_topic.h"

namespace mooring::broker {
namespace {

constexpr std::size_t kPageMessages = 100;
constexpr std::size_t kPageBytes = 512 << 10;
constexpr base::WallMs kCountAgainMs = 60'000;
constexpr std::uint32_t kForeignTopicsPerS = 1;

}  // namespace

void Broker::publish(Client& client, const mqtt::Publish& packet) {
  if (client.session == nullptr) return;
  if (client.dependents != nullptr && publish_for_dependent(client, packet)) return;
  const bool too_fast = over_rate(client, packet);
  // Firmware of MQTT 3.x gets no answer (connection.md 7). In MQTT 5 that would cost it a place of its Receive Maximum
  // for as long as the connection lasts.
  if (too_fast && (packet.qos == 0 || !client.speaks_v5())) return;
  if (packet.qos > 0) {
    // QoS 2: what was taken already, or is being taken, is not taken twice [MQTT-4.3.3-10].
    if (packet.qos == 2) {
      if (const auto known = client.session->session->received(packet.packet_id)) {
        ++client.unacknowledged;
        if (*known == session::Session::Received::kTaken) {
          client.sink->send_ack(mqtt::PacketType::kPubrec, packet.packet_id, mqtt::ReasonCode::kSuccess);
        }
        return;
      }
    }
    if (!count_unacknowledged(client)) return;
  }
  if (too_fast) {
    answer_publish(client, packet.qos, packet.packet_id, mqtt::ReasonCode::kQuotaExceeded);
    return;
  }
  if (!find_route(client, packet.topic)) {
    deny_publish(client, packet);
    return;
  }
  ++counters_.published;
  if (way_.request == kNoRequest) {
    accept_publish(client, packet);
  } else {
    take_request(client, packet);
  }
}

// A service answers by a message of its own, if at all; the PUBLISH itself is done with.
void Broker::take_request(Client& client, const mqtt::Publish& packet) {
  const RequestKind kind = way_.request;
  if (packet.qos > 0) answer_publish(client, packet.qos, packet.packet_id, mqtt::ReasonCode::kSuccess);
  parts_.requests->on_request(client, kind, packet);
}

void Broker::deny_publish(Client& client, const mqtt::Publish& packet) {
  ++counters_.refused_publishes;
  if (worth_a_line(++client.refused_publishes)) {
    base::log_info("broker", "{}: publish to '{}' refused: No authorization (9236), {} so far", client.label(),
                   base::printable(packet.topic, 160), client.refused_publishes);
  }
  report_repeat(client, client.refused_publishes,
                {Incident::Kind::kPublishDenied, 9236, "not-permitted", "No authorization", packet.topic});
  // A refused publish is acknowledged as well: firmware would repeat it for ever (connection.md 13).
  if (packet.qos > 0) answer_publish(client, packet.qos, packet.packet_id, mqtt::ReasonCode::kNotAuthorized);
  if (parts_.requests == nullptr || !client.is_device()) return;
  const auto owner = routing::device_of_topic(packet.topic);
  if (!owner || *owner == client.device()) return;
  if (!client.rare().foreign.take(kForeignTopicsPerS, parts_.clock.mono_ms())) return;
  parts_.requests->on_foreign_topic(client, *owner);
}

// One more that it has not been answered; false: the connection has ended for it (MQTT 5 section 4.9).
bool Broker::count_unacknowledged(Client& client) {
  if (client.speaks_v5() && client.unacknowledged >= client.receive_maximum) {
    end_connection(*client.session, CloseCause::kReceiveMaximum);
    return false;
  }
  ++client.unacknowledged;
  return true;
}

// Firmware would repeat what is not acknowledged for ever (connection.md 13).
void Broker::discard(Client& client, std::uint8_t qos, std::uint16_t packet_id) {
  if (client.session == nullptr || qos == 0 || !count_unacknowledged(client)) return;
  answer_publish(client, qos, packet_id, mqtt::ReasonCode::kImplementationSpecificError);
}

// Of QoS 1 or 2: nothing of it has to be waited for, but its answer takes its place behind those of earlier messages.
void Broker::answer_publish(Client& client, std::uint8_t qos, std::uint16_t packet_id, mqtt::ReasonCode reason) {
  const auto type = qos == 1 ? mqtt::PacketType::kPuback : mqtt::PacketType::kPubrec;
  if (qos == 2 && !client.speaks_v5()) {
    client.session->session->set_received(packet_id, session::Session::Received::kTaken);
  }
  if (client.acks.empty()) {
    send_answer(client, type, packet_id, reason);
  } else {
    decide(client, client.acks.open(type, packet_id), reason);
  }
}

void Broker::accept_publish(Client& client, const mqtt::Publish& packet) {
  Flow flow;
  flow.from = &client;
  session::Session& state = *client.session->session;
  if (packet.qos == 1) {
    flow.puback_id = packet.packet_id;
  } else if (packet.qos == 2) {
    const std::uint64_t ack = client.acks.open(mqtt::PacketType::kPubrec, packet.packet_id);
    state.set_received(packet.packet_id, session::Session::Received::kPending);
    const session::SessionNumber number = state.number();
    auto transaction = routing::ReceiptRef(
        new Transaction(parts_.store, parts_.executor,
                        [this, weak = std::weak_ptr<Client>(client.session->client), number, id = packet.packet_id,
                         ack](const routing::ReceiptTotals& totals) { on_taken(weak, number, id, ack, totals); }));
    if (state.durable()) {
      static_cast<Transaction&>(*transaction)
          .add({session::StoreOperation::Kind::kPutReceived, number, packet.packet_id, nullptr}, parts_.executor,
               [](bool) {});
    }
    flow.receipt = std::move(transaction);
  }
  const bool retained = packet.retain && client.info.rules->retain_available;
  // Nobody listens: no message is made.
  if (!way_.is_empty() || retained) {
    flow.message = make_message(packet, client);
    if (retained) retain(flow);
    route(flow);
  }
  finish(flow);
  if (!client.acks.empty()) regulate_input(client);
  spares_.give(std::move(flow.message));
}

mqtt::MessageRef Broker::make_message(const mqtt::Publish& packet, const Client& from) {
  mqtt::MessageFields fields;
  fields.qos = packet.qos;
  fields.retain = packet.retain && from.info.rules->retain_available;
  fields.publisher = from.session->session->number();
  fields.from_platform = from.info.kind == ClientKind::kOperator;
  fields.published_ms = static_cast<std::uint32_t>(parts_.clock.mono_ms());
  if (packet.message_expiry_s) {
    fields.expires_at_ms = parts_.clock.wall_ms() + std::int64_t{*packet.message_expiry_s} * 1000;
  }
  if (!packet.properties.empty()) {
    forwarded_.clear();
    mqtt::forwarded_properties(packet.properties, forwarded_);
    fields.properties = forwarded_;
  }
  return mqtt::Message::create_in(spares_.take(), packet.topic, packet.payload, fields);
}

bool Broker::push(Client& client, std::string_view topic, std::string_view payload) {
  if (!client.connected()) return false;
  if (client.sink->congested()) {
    ++counters_.dropped_congested;
    return false;
  }
  const auto message = mqtt::Message::create(topic, base::as_bytes(payload), 0, false);
  const PublishOut packet{message, 0, false, false, 0, {}};
  if (!client.sink->fits(packet)) {
    ++counters_.dropped_expired;
    return false;
  }
  ++counters_.delivered;
  client.sink->send_publish(packet);
  return true;
}

std::shared_ptr<Client> Broker::client_of(const base::DeviceKeyView& device) const {
  const auto found = devices_.find(device);
  return found == devices_.end() ? nullptr : (*found)->client;
}

void Broker::publish_internal(std::string_view topic, std::string_view payload, std::uint8_t qos, bool retain_it) {
  if (find_receivers(topic) || retain_it) send_internal(topic, payload, qos, retain_it);
}

bool Broker::find_receivers(std::string_view topic) {
  ++counters_.published;
  match(topic, {0, true});
  return !way_.is_empty();
}

void Broker::send_internal(std::string_view topic, std::string_view payload, std::uint8_t qos, bool retain_it) {
  Flow flow;
  mqtt::MessageFields fields;
  fields.qos = qos;
  fields.retain = retain_it;
  fields.from_platform = true;
  fields.published_ms = static_cast<std::uint32_t>(parts_.clock.mono_ms());
  flow.message = mqtt::Message::create(topic, base::as_bytes(payload), fields);
  if (retain_it) parts_.retained.set(flow.message, {});
  route(flow);
  finish(flow);
}

void Broker::publish_detached(const DetachedPublish& message, PublishedDone done) {
  // Services answer connections only, and nobody else may see what is asked of them.
  if (parts_.requests != nullptr && parts_.requests->kind_of(message.topic) != kNoRequest) {
    parts_.executor.post([done = std::move(done)]() mutable { done(false); });
    return;
  }
  ++counters_.published;
  Flow flow;
  flow.receipt = routing::ReceiptRef(
      new PublishReceipt(parts_.executor, [done = std::move(done)](const routing::ReceiptTotals& totals) mutable {
        done(!totals.failed && (totals.receivers > 0 || totals.refused == 0));
      }));
  match(message.topic, {});
  if (!message.hears_itself) {
    const auto found = devices_.find(message.device);
    const LocalSession* const own = found == devices_.end() ? nullptr : found->get();
    std::erase_if(route_.targets, [&](const Route::Target& to) { return own != nullptr && to.session == own; });
  }
  way_ = RouteView::of(route_);
  if (!way_.is_empty()) {
    mqtt::MessageFields fields;
    fields.qos = 1;
    fields.published_ms = static_cast<std::uint32_t>(parts_.clock.mono_ms());
    flow.message = mqtt::Message::create(message.topic, message.payload, fields);
    route(flow);
  }
  finish(flow);
}

// Sends the message along way_.
void Broker::route(Flow& flow) {
  if (!way_.loops.empty()) {
    if (flow.is_awaited()) receipt_of(flow).expect(static_cast<std::uint32_t>(way_.loops.size()));
    parts_.bus.publish(flow.message, flow.receipt, way_.loops);
  }
  deliver_to_targets(flow);
}

void Broker::on_remote_message(const mqtt::MessageRef& message, routing::ReceiptRef receipt) {
  Flow flow;
  flow.message = message;
  flow.receipt = std::move(receipt);
  find_remote_route(*message);
  deliver_to_targets(flow);
  finish(flow);
}

void Broker::deliver_to_targets(Flow& flow) {
  const mqtt::Message& message = *flow.message;
  session::Delivery delivery{flow.message};
  for (const Route::Target& target : way_.targets) {
    if (target.own_topic && over_delivery_rate(*target.session, message)) {
      flow.totals.refused += 1;
      continue;
    }
    delivery.qos = std::min(message.qos(), target.session->at_publishers_qos ? target.session->max_qos : target.qos);
    delivery.retain = message.retain() && target.retain_as_published;  // [MQTT-3.3.1-12, -13]
    delivery.subscription_ids = {};
    if (target.first_id != Route::kNoId) delivery.subscription_ids = subscription_ids_of(target);
    deliver(*target.session, flow, delivery);
  }
  for (const std::uint32_t share : way_.shares) deliver_to_share(*share_by_index_[share], flow, 0);
}

// Valid until the next call.
std::span<const std::uint32_t> Broker::subscription_ids_of(const Route::Target& target) {
  ids_.clear();
  for (std::uint32_t at = target.first_id; at != Route::kNoId; at = way_.subscription_ids[at].next) {
    ids_.push_back(way_.subscription_ids[at].id);
  }
  return ids_;
}

// With QoS 1 or 2.
void Broker::enqueue(LocalSession& home, Flow& flow, const session::Delivery& delivery) {
  session::Session& state = *home.session;
  if (home.client == nullptr && !state.durable()) {
    ++counters_.dropped_offline;
    return;
  }
  if (!state.durable() && delivery.qos == 2 && flow.receipt) {
    deliver_when_stored(home, flow, delivery);
    return;
  }
  if (state.needs_measuring()) measure(home);
  const auto admission = state.admit(delivery);
  if (!admission.accepted) {
    ++counters_.dropped_queue_full;
    flow.totals.refused += 1;
    look_for_expired(home);
    return;
  }
  flow.totals.receivers += 1;
  if (state.durable()) store_message(home, flow, delivery, admission.sequence);
  if (home.client != nullptr) send_waiting(home);
}

void Broker::send_qos0(LocalSession& home, const session::Delivery& delivery) {
  Client* client = home.client.get();
  if (client == nullptr) {
    ++counters_.dropped_offline;
    return;
  }
  if (client->sink->congested()) {
    ++counters_.dropped_congested;
    return;
  }
  const PublishOut packet{delivery.message, 0, false, delivery.retain, 0, delivery.subscription_ids};
  if (!client->sink->fits(packet)) {
    ++counters_.dropped_expired;
    return;
  }
  ++counters_.delivered;
  client->sink->send_publish(packet);
}

void Broker::store_message(LocalSession& home, Flow& flow, const session::Delivery& delivery, std::uint64_t sequence) {
  session::Session& state = *home.session;
  // A device without subscriptions gets what is pushed: its session is stored with the first message, or nobody would
  // know whose that is.
  if (!home.recorded.any) save_now(home);
  auto item = std::make_shared<session::QueueItem>(state.number(), sequence, delivery.message);
  item->qos = delivery.qos;
  item->retain = delivery.retain;
  item->subscription_ids.assign(delivery.subscription_ids.begin(), delivery.subscription_ids.end());
  if (home.rules->max_message_age_s != 0) {
    item->drop_at_ms = parts_.clock.wall_ms() + std::int64_t{home.rules->max_message_age_s} * 1000;
  }
  if (flow.receipt && delivery.message->qos() == 2) {
    state.storing(item, routing::ReceiptRef());
    static_cast<Transaction&>(*flow.receipt)
        .add({session::StoreOperation::Kind::kAppend, item->session, sequence, item}, parts_.executor,
             [this, number = item->session, sequence](bool stored) { on_stored(number, sequence, stored); });
    return;
  }
  routing::ReceiptRef receipt;
  if (flow.is_awaited()) {
    receipt_of(flow).expect();
    receipt = flow.receipt;
  }
  state.storing(item, std::move(receipt));
  parts_.store.append(std::move(item), parts_.executor, *this);
}

// Exactly once: what is not stored with everybody who keeps it, the publisher will send again. So those who keep
// nothing must not have it before; its place among their messages it has at once.
void Broker::deliver_when_stored(LocalSession& home, Flow& flow, const session::Delivery& delivery) {
  session::Delivery held = delivery;
  held.held = true;
  const auto admission = home.session->admit(held);
  if (!admission.accepted) {
    ++counters_.dropped_queue_full;
    flow.totals.refused += 1;
    return;
  }
  flow.totals.receivers += 1;
  static_cast<Transaction&>(*flow.receipt)
      .add(parts_.executor, [this, number = home.session->number(), sequence = admission.sequence](bool stored) {
        LocalSession* found = find(number);
        if (found == nullptr) return;
        found->session->let_go(sequence, !stored);
        if (found->client != nullptr) resume_delivery(*found->client);
      });
}

// A full queue may be full of messages that have expired: the store removes them when it counts.
void Broker::look_for_expired(LocalSession& home) {
  const base::WallMs now = parts_.clock.wall_ms();
  if (home.client != nullptr || now < home.counted_at_ms + kCountAgainMs || !home.session->forget_counts()) return;
  home.counted_at_ms = now;
  measure(home);
}

// After a restart nobody knows how much waits for a session.
void Broker::measure(LocalSession& home) {
  home.session->measuring();
  parts_.store.measure(home.session->number(), parts_.executor,
                       [this, number = home.session->number()](base::Result<session::QueueSize> size) {
                         LocalSession* found = find(number);
                         if (found != nullptr && size) found->session->measured(*size);
                       });
}

void Broker::on_appended(std::span<const session::QueueItemRef> items) {
  for (const session::QueueItemRef& item : items) on_stored(item->session, item->sequence, true);
}

void Broker::on_append_failed(std::span<const session::QueueItemRef> items, const base::Error& error) {
  if (worth_a_line(++counters_.store_failures)) {
    base::log_error("broker", "messages are not stored and not acknowledged: {}", error.message);
  }
  for (const session::QueueItemRef& item : items) on_stored(item->session, item->sequence, false);
}

void Broker::on_stored(session::SessionNumber number, std::uint64_t sequence, bool stored) {
  store_fails_ = !stored;
  LocalSession* home = find(number);
  if (home == nullptr) return;
  if (!stored) {
    home->session->store_failed(sequence);
  } else if (!home->session->stored(sequence)) {
    return;
  }
  if (home->client != nullptr) resume_delivery(*home->client);
}

void Broker::resume_delivery(Client& client) {
  if (client.session == nullptr) return;
  send_waiting(*client.session);
  if (!client.replays.empty()) pump_replays(client);
  if (client.dependents != nullptr) client.dependents->resume();
}

void Broker::send_waiting(LocalSession& home) {
  Client& client = *home.client;
  session::Session& state = *home.session;
  while (!state.all_sent() && !client.sink->congested()) {
    session::Outgoing* next = state.next_to_send(store_fails_);
    if (next == nullptr) break;
    using Progress = session::Outgoing::Progress;
    if (next->progress == Progress::kReleased) {
      client.sink->send_ack(mqtt::PacketType::kPubrel, next->packet_id(), mqtt::ReasonCode::kSuccess);
      state.sent_next();
      continue;
    }
    const PublishOut packet{next->message, next->qos,         next->progress == Progress::kSent,
                            next->retain,  next->packet_id(), next->subscription_ids};
    const base::WallMs expiry = next->message->expires_at_ms();
    const bool expired =
        next->progress == Progress::kWaiting && expiry != 0 && expiry <= parts_.clock.wall_ms();  // [MQTT-3.3.2-5]
    if (expired || !client.sink->fits(packet)) {
      ++counters_.dropped_expired;
      remove_stored(home, state.drop_next());
      continue;
    }
    ++counters_.delivered;
    client.sink->send_publish(packet);
    state.sent_next();
  }
  if (state.has_backlog()) read_page(home);
}

void Broker::read_page(LocalSession& home) {
  const auto from = home.session->page_wanted();
  if (!from) return;
  home.session->page_requested();
  parts_.store.read(home.session->number(), *from, kPageMessages, kPageBytes, parts_.executor,
                    [this, number = home.session->number()](base::Result<session::SessionStore::Page> page) {
                      LocalSession* found = find(number);
                      if (found == nullptr) return;
                      if (page) {
                        found->session->add_page(std::move(*page));
                        if (found->client != nullptr) resume_delivery(*found->client);
                        return;
                      }
                      base::log_error("broker", "cannot read waiting messages: {}", page.error().message);
                      found->session->page_failed();
                      retry_later([this, number] {
                        LocalSession* again = find(number);
                        if (again != nullptr && again->client != nullptr) resume_delivery(*again->client);
                      });
                    });
}

void Broker::remove_stored(LocalSession& home, const session::Session::Removed& removed) {
  if (removed.from_store) parts_.store.remove(home.session->number(), removed.sequence);
}

}  // namespace mooring::broker
